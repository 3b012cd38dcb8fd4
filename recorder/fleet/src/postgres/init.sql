-- The schema of a namespace. Each statement may run again, and everything runs in one transaction.
select pg_advisory_xact_lock(hashtextextended('zerver fleet init', 0));

create schema if not exists {ns};

-- One row: the version of the schema, how long blocks stay, and the position of the next block.
create table if not exists {ns}.fleet (
    is_only boolean primary key default true check (is_only),
    version integer not null,
    keep_days integer not null,
    next_at bigint not null default 1,
    born timestamptz not null default now()
);

-- Since version 2: the bucket to which old days go, and the first day that has not gone there.
alter table {ns}.fleet add column if not exists archive text;
alter table {ns}.fleet add column if not exists archived_before integer not null default 0;

-- The stores of services. Counters are those of the node, except for `shipped`, which counts traces that arrived.
create table if not exists {ns}.node (
    node bigint primary key,
    name text not null,
    build text not null,
    born timestamptz not null default now(),
    seen timestamptz not null default now(),
    next_seq bigint not null default 0,
    shipped bigint not null default 0,
    recorded bigint not null default 0,
    not_kept bigint not null default 0,
    dropped bigint not null default 0,
    waiting bigint not null default 0,
    behind_bytes bigint not null default 0
);

-- Since version 3: traces that stay in the store of the node, because it recorded too many at once.
alter table {ns}.node add column if not exists unshipped bigint not null default 0;

-- What builds say about themselves.
create table if not exists {ns}.catalog (
    build text primary key,
    catalog bytea not null,
    declarations bytea,
    origin bytea,
    seen timestamptz not null default now()
);

-- Blocks, byte for byte, and their bounds. `day` is that of the latest request, counted from 1970, and `at` is the
-- position in the order of arrival. A block is wide if its ids span more than ten minutes.
create table if not exists {ns}.block (
    day integer not null,
    at bigint not null,
    node bigint not null,
    seq bigint not null,
    n integer not null,
    min_id bytea not null,
    max_id bytea not null,
    wide boolean not null,
    min_ns bigint not null,
    max_ns bigint not null,
    longest_ns bigint not null,
    statuses smallint not null,
    dropped bigint not null,
    head bytea not null,
    summaries bytea not null,
    body bytea not null,
    primary key (day, node, seq)
) partition by range (day);
-- They are compressed already.
alter table {ns}.block alter column summaries set storage external, alter column body set storage external;
-- Since version 3: keys of the values that the traces wrote to slots. A block of which some have none has the key 0.
alter table {ns}.block add column if not exists slots bigint[] not null default '{0}';
create table if not exists {ns}.block_default partition of {ns}.block default;
create index if not exists block_at on {ns}.block (at);
create index if not exists block_time on {ns}.block (max_ns desc, at desc);
create index if not exists block_min_id on {ns}.block (min_id);
create index if not exists block_max_id on {ns}.block (max_id);
create index if not exists block_wide on {ns}.block (max_id) where wide;
create index if not exists block_slots on {ns}.block using gin (slots);
create index if not exists block_dropped on {ns}.block (dropped) where dropped > 0;

-- The flows of each block.
create table if not exists {ns}.part (
    day integer not null,
    at bigint not null,
    flow text not null,
    max_ns bigint not null,
    n integer not null,
    failed integer not null,
    longest_ns bigint not null,
    fastest_ns bigint,
    slowest_ns bigint,
    primary key (day, at, flow)
) partition by range (day);
create table if not exists {ns}.part_default partition of {ns}.part default;
create index if not exists part_flow on {ns}.part (flow, max_ns desc, at desc);
create index if not exists part_slowest on {ns}.part (flow, slowest_ns desc);
create index if not exists part_fastest on {ns}.part (flow, fastest_ns);

-- Since version 4: what the columns say about requests, for tools that speak SQL. A row is a flow within a block.
create or replace view {ns}.traces as
select date '1970-01-01' + p.day as day,
    coalesce(k.name, lpad(to_hex(b.node), 16, '0')) as node,
    p.flow,
    to_timestamp(b.min_ns / 1e9) as first_started,
    to_timestamp(b.max_ns / 1e9) as last_started,
    p.n as requests,
    p.failed,
    (p.fastest_ns / 1e6)::float8 as fastest_ms,
    (p.slowest_ns / 1e6)::float8 as slowest_ms,
    (p.longest_ns / 1e6)::float8 as longest_ms
from {ns}.part p
join {ns}.block b on b.day = p.day and b.at = p.at
left join {ns}.node k on k.node = b.node;

-- Since version 4: the public halves of the keys for which services wrap their data keys, each with a proof by the hash key
-- that services have and the database has not. The last one is current.
create table if not exists {ns}.public_key (
    number bigint primary key generated always as identity,
    id bytea not null unique check (octet_length(id) = 8),
    public bytea not null check (octet_length(public) = 32),
    proof bytea not null check (octet_length(proof) = 32),
    born timestamptz not null default now()
);

-- The keys under which processes seal secrets, wrapped for a public key.
create table if not exists {ns}.sealing_key (
    key_id bytea primary key check (octet_length(key_id) = 8),
    public_id bytea not null check (octet_length(public_id) = 8),
    node bigint not null,
    wrapped bytea not null check (octet_length(wrapped) <= 1024),
    born timestamptz not null default now()
);

-- Makes partitions ahead, and drops those that are older than the fleet keeps.
create or replace function {ns}.maintain() returns void
language plpgsql security definer set search_path = {ns}, pg_temp as $body$
declare
    today integer := floor(extract(epoch from now()) / 86400);
    keep integer;
    is_archived boolean;
    gone integer;
    suffix text;
    old name;
    kept_from timestamptz;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('zerver maintain {name}', 0)) then
        return;
    end if;
    perform set_config('lock_timeout', '5s', true);
    select keep_days, archive is not null, archived_before into keep, is_archived, gone from fleet;
    for d in today - 1 .. today + 3 loop
        suffix := to_char(date '1970-01-01' + d, 'YYYYMMDD');
        -- Strays of this day stay where they are.
        if to_regclass('{ns}.block_' || suffix) is null
            and not exists (select from block_default where day = d)
            and not exists (select from part_default where day = d)
        then
            execute format('create table {ns}.%I partition of {ns}.block for values from (%s) to (%s)',
                'block_' || suffix, d, d + 1);
            execute format('create table {ns}.%I partition of {ns}.part for values from (%s) to (%s)',
                'part_' || suffix, d, d + 1);
        end if;
    end loop;
    for old in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('{ns}.block'::regclass, '{ns}.part'::regclass)
            and c.relname ~ '_[0-9]{8}$'
            and to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01' < today - keep
            -- What goes to an archive is removed by that.
            and (not is_archived or to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01' < gone)
    loop
        execute format('drop table {ns}.%I', old);
    end loop;
    delete from block_default where day < today - keep and (not is_archived or day < gone);
    delete from part_default where day < today - keep and (not is_archived or day < gone);
    -- A process seals with one key. Nothing that it sealed is left once its successor, or the last report of its node, is
    -- older than everything that is kept. Two days are left for clocks that differ. An archive has the keys of its days.
    kept_from := to_timestamp(86400.0 * (least(today - keep, case when is_archived then gone end) - 2));
    delete from sealing_key s
    where exists (select from sealing_key later where later.node = s.node and later.born > s.born
            and later.born < kept_from)
        or (s.born < kept_from and exists (select from node k where k.node = s.node and k.seen < kept_from));
end
$body$;

-- Removes a day that is in the archive, if it still has this many blocks. Returns false if it has others.
create or replace function {ns}.drop_archived(a_day integer, a_blocks bigint) returns boolean
language plpgsql set search_path = {ns}, pg_temp as $body$
declare
    suffix text := to_char(date '1970-01-01' + a_day, 'YYYYMMDD');
begin
    perform set_config('lock_timeout', '10s', true);
    lock table block, part in access exclusive mode;
    if (select count(*) from block where day = a_day) <> a_blocks then
        return false;
    end if;
    execute format('drop table if exists {ns}.%I', 'block_' || suffix);
    execute format('drop table if exists {ns}.%I', 'part_' || suffix);
    delete from block where day = a_day;
    delete from part where day = a_day;
    update fleet set archived_before = greatest(archived_before, a_day + 1);
    return true;
end
$body$;

-- Describes a build.
create or replace function {ns}.declare_build(a_build text, a_catalog bytea, a_declarations bytea, a_origin bytea)
returns void language sql security definer set search_path = {ns}, pg_temp as $body$
    insert into catalog as c (build, catalog, declarations, origin)
    values (a_build, a_catalog, a_declarations, a_origin)
    on conflict (build) do update set seen = now(), catalog = excluded.catalog,
        declarations = coalesce(excluded.declarations, c.declarations),
        origin = coalesce(excluded.origin, c.origin);
$body$;

-- Returns the public key for which data keys are wrapped.
create or replace function {ns}.current_key() returns table (public bytea, proof bytea)
language sql stable security definer set search_path = {ns}, pg_temp as $body$
    select k.public, k.proof from public_key k order by number desc limit 1;
$body$;

-- Takes a wrapped data key. One that is there stays as it is.
create or replace function {ns}.share_key(a_version integer, a_key_id bytea, a_public_id bytea, a_node bigint,
    a_wrapped bytea) returns void
language plpgsql security definer set search_path = {ns}, pg_temp as $body$
begin
    if (select version from fleet) is distinct from a_version then
        raise exception 'the namespace {name} has another version of the schema than this service' using errcode = 'ZV002';
    end if;
    insert into sealing_key (key_id, public_id, node, wrapped)
    values (a_key_id, a_public_id, a_node, a_wrapped)
    on conflict do nothing;
end
$body$;
-- That of version 2.
drop function if exists {ns}.ship(
    integer, bigint, text, text, bigint[], bigint[], integer[], integer[], bytea[], bytea[], boolean[], bigint[], bigint[],
    bigint[], smallint[], bigint[], bytea[], bytea[], bytea[], bigint[], text[], integer[], integer[], bigint[], bigint[],
    bigint[]
);

-- Takes blocks and a report of a node, and returns the key of the block that it should send next. What arrived before
-- is skipped, so that a node may send again whatever it is not sure of. `a_counters` may be empty, and has at least
-- recorded, not_kept, dropped, waiting and behind_bytes. For blocks that stay in the store of the node, it also has the
-- key of the first of them, the key after the last, and the number of their traces.
create or replace function {ns}.ship(
    a_version integer, a_node bigint, a_name text, a_build text, a_counters bigint[],
    a_seq bigint[], a_day integer[], a_n integer[], a_min_id bytea[], a_max_id bytea[], a_wide boolean[],
    a_min_ns bigint[], a_max_ns bigint[], a_longest_ns bigint[], a_statuses smallint[], a_dropped bigint[],
    a_head bytea[], a_summaries bytea[], a_body bytea[],
    p_seq bigint[], p_flow text[], p_n integer[], p_failed integer[], p_longest_ns bigint[],
    p_fastest_ns bigint[], p_slowest_ns bigint[],
    -- Each is an array as a text. Services of version 2 give none, and learn that the namespace has another version.
    a_slots text[] default null
) returns bigint
language plpgsql security definer set search_path = {ns}, pg_temp as $body$
declare
    known integer;
    base bigint := 0;
    arrived bigint := 0;
    wanted bigint;
begin
    select version into known from fleet;
    if known is distinct from a_version then
        raise exception 'the namespace {name} has version % of the schema, and this service writes version %', known,
            a_version using errcode = 'ZV002';
    end if;
    if cardinality(a_seq) > 0 then
        -- The lock on this row makes positions visible in their order, so that a reader who follows misses none.
        update fleet set next_at = next_at + cardinality(a_seq) returning next_at - cardinality(a_seq) into base;
        if exists (
            select from unnest(a_seq, a_day, a_body) as s(seq, day, body)
            join block b on b.day = s.day and b.node = a_node and b.seq = s.seq
            where substring(b.body from 9 for 24) <> substring(s.body from 9 for 24)
        ) then
            raise exception 'another service has sent other blocks as node %', to_hex(a_node)
                using errcode = 'ZV001';
        end if;
        with sent as (
            select * from unnest(a_seq, a_day, a_n, a_min_id, a_max_id, a_wide, a_min_ns, a_max_ns, a_longest_ns,
                a_statuses, a_dropped, a_head, a_summaries, a_body, a_slots) with ordinality
            as s(seq, day, n, min_id, max_id, wide, min_ns, max_ns, longest_ns, statuses, dropped, head, summaries,
                body, slots, number)
        ), stored as (
            insert into block (day, at, node, seq, n, min_id, max_id, wide, min_ns, max_ns, longest_ns, statuses,
                dropped, head, summaries, body, slots)
            select day, base + number - 1, a_node, seq, n, min_id, max_id, wide, min_ns, max_ns, longest_ns, statuses,
                dropped, head, summaries, body, slots::bigint[]
            from sent
            on conflict do nothing
            returning day, at, seq, n, max_ns
        ), parts as (
            insert into part (day, at, flow, max_ns, n, failed, longest_ns, fastest_ns, slowest_ns)
            select b.day, b.at, p.flow, b.max_ns, p.n, p.failed, p.longest_ns, p.fastest_ns, p.slowest_ns
            from stored b
            join unnest(p_seq, p_flow, p_n, p_failed, p_longest_ns, p_fastest_ns, p_slowest_ns)
                as p(seq, flow, n, failed, longest_ns, fastest_ns, slowest_ns) on p.seq = b.seq
        )
        select coalesce(sum(n), 0) into arrived from stored;
    end if;
    insert into node as k (node, name, build, next_seq, shipped, recorded, not_kept, dropped, waiting, behind_bytes,
        unshipped)
    values (a_node, a_name, a_build, coalesce((select max(s) + 1 from unnest(a_seq) s), a_counters[7], 0), arrived,
        coalesce(a_counters[1], 0), coalesce(a_counters[2], 0), coalesce(a_counters[3], 0), coalesce(a_counters[4], 0),
        coalesce(a_counters[5], 0), coalesce(a_counters[8], 0))
    on conflict (node) do update set name = excluded.name, build = excluded.build, seen = now(),
        next_seq = greatest(k.next_seq, excluded.next_seq), shipped = k.shipped + excluded.shipped,
        recorded = coalesce(a_counters[1], k.recorded), not_kept = coalesce(a_counters[2], k.not_kept),
        dropped = coalesce(a_counters[3], k.dropped), waiting = coalesce(a_counters[4], k.waiting),
        behind_bytes = coalesce(a_counters[5], k.behind_bytes),
        unshipped = k.unshipped + case when k.next_seq <= a_counters[6] then excluded.unshipped else 0 end
    returning next_seq into wanted;
    return wanted;
end
$body$;

-- Roles to grant to the users of services and of people. Without the right to create roles, the owner does everything.
do $body$
begin
    if exists (select from pg_roles where rolname = current_user and (rolcreaterole or rolsuper)) then
        if not exists (select from pg_roles where rolname = 'zerver_ship') then
            create role zerver_ship nologin;
        end if;
        if not exists (select from pg_roles where rolname = 'zerver_read') then
            create role zerver_read nologin;
        end if;
    end if;
    revoke all on function {ns}.drop_archived from public;
    revoke all on function {ns}.maintain from public;
    revoke all on function {ns}.declare_build from public;
    revoke all on function {ns}.current_key from public;
    revoke all on function {ns}.share_key from public;
    revoke all on function {ns}.ship from public;
    if exists (select from pg_roles where rolname = 'zerver_ship') then
        grant usage on schema {ns} to zerver_ship;
        grant execute on function {ns}.maintain to zerver_ship;
        grant execute on function {ns}.declare_build to zerver_ship;
        grant execute on function {ns}.current_key to zerver_ship;
        grant execute on function {ns}.share_key to zerver_ship;
        grant execute on function {ns}.ship to zerver_ship;
    end if;
    if exists (select from pg_roles where rolname = 'zerver_read') then
        grant usage on schema {ns} to zerver_read;
        grant select on {ns}.fleet, {ns}.node, {ns}.catalog, {ns}.block, {ns}.part,
            {ns}.public_key, {ns}.sealing_key, {ns}.traces to zerver_read;
        grant execute on function {ns}.current_key to zerver_read;
    end if;
end
$body$;
