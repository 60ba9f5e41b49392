-- What the search index is made of: the number of a book and the words it is found by.
select book.id, book.title || ' ' || author.name
from book join author on author.id = book.author_id
order by book.id;
