//! A limiter of rates whose counts are in Redis.

use zerver::effects::rate_limit::{Allowance, RateLimit};
use zerver::effects::{EffectContext, EffectResult, Interpreter, Started};
use zerver::prelude::*;

use crate::command::Command;
use crate::redis_server::Redis;
use crate::reply::RedisValue;

/// Decides as `Limit::decide` does, by the clock of the server and without any other command in between, so that the count is
/// exact for all processes together. A number in Lua is exact up to 2^53, which is beyond the time in microseconds.
const SCRIPT: &str = r"
local interval, tolerance, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local start = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local used = start + interval * cost - now
if used <= tolerance then
  if used > 0 then
    redis.call('SET', KEYS[1], string.format('%.0f', now + used), 'PX', math.ceil(used / 1000))
  end
  return {1, math.floor((tolerance - used) / interval), 0}
end
local left = math.max(tolerance - (start - now), 0)
return {0, math.floor(left / interval), math.ceil((used - tolerance) / 1000)}
";

/// A limiter whose counts are in Redis, so that all processes share them: performs the effects of
/// [`Limit`](zerver::effects::rate_limit::Limit). The keys start with `zerver:rate:`.
///
/// ```
/// use zerver::prelude::*;
/// use zerver_redis::{RateLimiter, Redis};
///
/// let app = App::new().on_startup(|startup| {
///     startup.interpreter(RateLimiter::new(&Redis::from_url("redis://cache.internal")?));
///     Ok(())
/// });
/// # let _ = app;
/// ```
///
/// If the server cannot be reached, the effect fails as `unreachable`. A service that prefers to go on without a limit then
/// uses `.optional()`.
#[derive(Debug, Clone)]
pub struct RateLimiter(Redis);

impl RateLimiter {
    /// Creates a limiter with the connection of a server.
    #[must_use]
    pub fn new(redis: &Redis) -> Self {
        Self(redis.clone())
    }
}

impl Interpreter<RateLimit> for RateLimiter {
    fn start(&self, args: &RateLimit, _context: &EffectContext) -> Started<EffectResult<RateLimit>> {
        let (interval_us, tolerance_us) = args.limit.interval_and_tolerance_us();
        let script = Command::of_script(SCRIPT.into()).key(format!("zerver:rate:{}", args.key));
        let asking = self.0.ask(script.arg(interval_us).arg(tolerance_us).arg(args.cost));
        Started::Pending(Box::pin(async move {
            let answer = asking.await?;
            allowance(&answer).ok_or_else(|| {
                let message = format!("the script of the limiter returned {answer}");
                EffectError::new(EffectErrorKind::Malformed, message)
            })
        }))
    }

    fn problem(&self) -> Option<String> {
        self.0.problem()
    }
}

fn allowance(answer: &RedisValue) -> Option<Allowance> {
    let RedisValue::List(items) = answer else { return None };
    let [RedisValue::Int(allowed), RedisValue::Int(remaining), RedisValue::Int(retry_after_ms)] =
        items.as_slice()
    else {
        return None;
    };
    Some(Allowance {
        allowed: *allowed == 1,
        remaining: u32::try_from(*remaining).unwrap_or(u32::MAX),
        retry_after_ms: u64::try_from(*retry_after_ms).ok()?,
    })
}
