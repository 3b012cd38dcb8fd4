//! Tables of commands: those that change nothing, and those that may be repeated.
//!
//! A command that is not listed counts as a write that may not be repeated.

use crate::argument::Arg;

/// Commands that change nothing, of all types of values.
const READS: [&str; 75] = [
    "BITCOUNT",
    "BITFIELD_RO",
    "BITPOS",
    "DBSIZE",
    "DUMP",
    "ECHO",
    "EXISTS",
    "EXPIRETIME",
    "FCALL_RO",
    "EVAL_RO",
    "EVALSHA_RO",
    "GEODIST",
    "GEOHASH",
    "GEOPOS",
    "GEORADIUS_RO",
    "GEOSEARCH",
    "GET",
    "GETBIT",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HRANDFIELD",
    "HSCAN",
    "HSTRLEN",
    "HVALS",
    "INFO",
    "KEYS",
    "LCS",
    "LINDEX",
    "LLEN",
    "LPOS",
    "LRANGE",
    "MGET",
    "OBJECT",
    "PEXPIRETIME",
    "PFCOUNT",
    "PING",
    "PTTL",
    "RANDOMKEY",
    "ROLE",
    "SCAN",
    "SCARD",
    "SDIFF",
    "SINTER",
    "SINTERCARD",
    "SISMEMBER",
    "SMEMBERS",
    "SMISMEMBER",
    "SORT_RO",
    "SRANDMEMBER",
    "SSCAN",
    "STRLEN",
    "SUBSTR",
    "SUNION",
    "TIME",
    "TTL",
    "TYPE",
    "XINFO",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "XREAD",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZMSCORE",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "ZRANK",
    "ZREVRANGE",
    "ZSCORE",
];

/// Commands that change something, but have the same effect when they are repeated. Their answer may differ, such as the
/// number of keys that existed.
const IDEMPOTENT: [&str; 24] = [
    "COPY",
    "DEL",
    "EXPIREAT",
    "EXPIRE",
    "HDEL",
    "HMSET",
    "HSET",
    "LTRIM",
    "MSET",
    "PERSIST",
    "PEXPIRE",
    "PEXPIREAT",
    "PFADD",
    "PSETEX",
    "SADD",
    "SETBIT",
    "SETEX",
    "SETRANGE",
    "SREM",
    "UNLINK",
    "XACK",
    "XDEL",
    "XTRIM",
    "ZREM",
];

fn is_one_of(command: &[Arg], names: &[&str]) -> bool {
    command.first().is_some_and(|name| names.iter().any(|known| name.is_word(known)))
}

/// Returns true if the command changes nothing.
pub(crate) fn is_read(command: &[Arg]) -> bool {
    is_one_of(command, &READS)
}

/// Returns true if performing the command twice has the same effect as performing it once.
pub(crate) fn is_idempotent(command: &[Arg]) -> bool {
    // These options make the second answer depend on the first attempt.
    let has_condition =
        || command.iter().skip(3).any(|arg| ["NX", "XX", "GET"].iter().any(|word| arg.is_word(word)));
    is_read(command)
        || is_one_of(command, &IDEMPOTENT)
        || (is_one_of(command, &["SET"]) && !has_condition())
        || (is_one_of(command, &["ZADD"]) && !command.iter().any(|arg| arg.is_word("INCR")))
}
