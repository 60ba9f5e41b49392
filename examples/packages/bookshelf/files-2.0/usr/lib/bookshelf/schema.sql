-- SPDX-License-Identifier: GPL-3.0-or-later
PRAGMA auto_vacuum = FULL;
PRAGMA user_version = 2;
create table setting (name text primary key, value text not null);
create table author (id integer primary key, name text not null unique);
create table book (id integer primary key, title text not null, author_id integer not null references author);
-- What upgrades have done to the data.
create table change (name text not null, time text not null default current_timestamp);
insert into setting values ('schema', '2');
