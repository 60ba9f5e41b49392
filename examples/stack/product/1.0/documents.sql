-- What the search index is made of: the number of a book and the words it is found by.
select book.id, book.title from book order by book.id;
