create table todos (
    id integer primary key,
    title text not null,
    is_done boolean not null default false
);
