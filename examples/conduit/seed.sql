with people as (
    insert into users (username, email, password_hash, bio, image)
    select name, name || '@example.com', $1::text, bio, 'https://api.dicebear.com/9.x/shapes/svg?seed=' || name
    from (values
        ('ann', 'Writes about databases.'),
        ('bob', 'Bakes bread, and measures it.'),
        ('eve', null)
    ) as person (name, bio)
    on conflict do nothing
    returning id, username
), posts as (
    insert into articles (slug, title, description, body, tag_list, author_id, created_at, updated_at)
    select post.slug, post.title, post.description, post.body, post.tags, people.id, now() - post.age, now() - post.age
    from (values
        ('ann', 'indexes-that-nobody-uses', 'Indexes that nobody uses', 'How to find them', E'Ask `pg_stat_user_indexes`.\n\nThen wait a month before you drop one.', array['postgres', 'indexes'], interval '3 days'),
        ('bob', 'a-loaf-in-numbers', 'A loaf in numbers', 'Hydration is a ratio', E'700 g of water for 1000 g of flour.', array['bread', 'measuring'], interval '2 days'),
        ('ann', 'reading-a-query-plan', 'Reading a query plan', 'From the inside out', E'Start with the innermost node, and compare estimated rows with actual ones.', array['postgres', 'measuring'], interval '1 day')
    ) as post (author, slug, title, description, body, tags, age)
    join people on people.username = post.author
    returning id, slug
), likes as (
    insert into favorites (user_id, article_id)
    select people.id, posts.id from people, posts where people.username <> 'ann'
), fans as (
    insert into follows (follower_id, followed_id)
    select fan.id, star.id from people fan, people star where fan.username <> 'ann' and star.username = 'ann'
)
insert into comments (article_id, author_id, body)
select posts.id, people.id, 'The month of waiting saved us once.'
from people, posts where people.username = 'bob' and posts.slug = 'indexes-that-nobody-uses'
