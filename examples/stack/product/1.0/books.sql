-- The books of a result page; :ids is a list of numbers with commas.
select book.title, book.author, ''
from unnest(string_to_array(:'ids', ',')::integer[]) with ordinality as hit (id, rank)
join book on book.id = hit.id
order by hit.rank;
