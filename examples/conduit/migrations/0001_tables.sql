create table users (
    id bigint generated always as identity primary key,
    username text not null constraint users_username_key unique,
    email text not null constraint users_email_key unique,
    password_hash text not null,
    bio text,
    image text
);

create table follows (
    follower_id bigint not null references users,
    followed_id bigint not null references users,
    primary key (follower_id, followed_id)
);

create table articles (
    id bigint generated always as identity primary key,
    slug text not null constraint articles_slug_key unique,
    title text not null,
    description text not null,
    body text not null,
    tag_list text[] not null,
    author_id bigint not null references users,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index articles_newest on articles (created_at desc, id desc);
create index articles_by_author on articles (author_id);
create index articles_by_tag on articles using gin (tag_list);

create table favorites (
    user_id bigint not null references users,
    article_id bigint not null references articles on delete cascade,
    primary key (user_id, article_id)
);

create index favorites_by_article on favorites (article_id);

create table comments (
    id bigint generated always as identity primary key,
    article_id bigint not null references articles on delete cascade,
    author_id bigint not null references users,
    body text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index comments_by_article on comments (article_id);
