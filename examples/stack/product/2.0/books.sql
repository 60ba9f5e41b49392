-- The books of a result page; :ids is a list of numbers with commas.
select book.title, author.name, book.shelf_mark
from unnest(string_to_array(:'ids', ',')::integer[]) with ordinality as hit (id, rank)
join book on book.id = hit.id
join author on author.id = book.author_id
order by hit.rank;
