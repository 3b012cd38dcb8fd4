-- Profiles and articles as one user sees them, or anyone if the viewer is null. The planner inlines these functions, so
-- that a query pays only for the columns that it names, and uses the indexes.

create function profiles_seen_by(viewer bigint)
returns table (id bigint, username text, bio text, image text, following boolean)
language sql stable as $$
    select u.id, u.username, u.bio, u.image,
        exists (select from follows f where f.follower_id = viewer and f.followed_id = u.id)
    from users u
$$;

create function articles_seen_by(viewer bigint)
returns table (
    id bigint, slug text, title text, description text, body text, tag_list text[], created_at timestamptz,
    updated_at timestamptz, favorited boolean, favorites_count bigint, author_id bigint, username text, bio text,
    image text, following boolean
)
language sql stable as $$
    select a.id, a.slug, a.title, a.description, a.body, a.tag_list, a.created_at, a.updated_at,
        exists (select from favorites f where f.article_id = a.id and f.user_id = viewer),
        (select count(*) from favorites f where f.article_id = a.id),
        u.id, u.username, u.bio, u.image,
        exists (select from follows f where f.follower_id = viewer and f.followed_id = u.id)
    from articles a join users u on u.id = a.author_id
$$;
