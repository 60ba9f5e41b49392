-- SPDX-License-Identifier: GPL-3.0-or-later
PRAGMA user_version = 1;
create table setting (name text primary key, value text not null);
create table book (id integer primary key, title text not null, author text not null);
-- What upgrades have done to the data.
create table change (name text not null, time text not null default current_timestamp);
insert into setting values ('schema', '1');
