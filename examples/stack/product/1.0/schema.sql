-- Schema 1 of Bookshelf.
create table schema_version (version integer not null);
insert into schema_version values (1);
create table book (
    id serial primary key,
    title text not null,
    author text,
    year integer not null
);
create table page_text (name text primary key, body text not null);
