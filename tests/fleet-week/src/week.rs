//! The run of a week.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{cmp, thread};

use zerver_fleet::{CompactOptions, FleetUrl, InitOptions, archive, compact, init};
use zerver_recorder::NodeId;

use crate::follower::Follower;
use crate::limits::{PATIENCE, POLL, Result};
use crate::oracle::{self, Content, Counts, Findings};
use crate::pod::{AcceptTimes, CLUMP, Pod, PodSettings};
use crate::schedule::{Fault, HOURS, OUTAGE, schedule};
use crate::servers::{Place, Servers};

/// Requests that fifty nodes with the policy `tail` keep in a week, of ten thousand a second.
pub(crate) const TRACES: f64 = 139e6;
pub(crate) const HOUR_MS: u64 = 3_600_000;
/// Requests of the outage in addition, as a share of those of the week.
const OUTAGE_SHARE: f64 = 0.2;
/// Requests of the pod with a small disk during the outage: more than its disk holds.
const OVERFLOW: u32 = 12_000;
/// Requests of each pod at the end, by the real clock.
const PRESENT: u32 = 5;
/// Threads that serve requests.
const SERVING: usize = 4;
/// Days that stay when the first ones are removed, and days that stay out of the archive.
const KEEP_DAYS: u32 = 5;
const RECENT_DAYS: u32 = 3;

/// Size of a week.
#[derive(Debug, Clone)]
pub struct WeekOptions {
    /// The week has 139 million requests divided by this.
    pub scale: u32,
    /// Number of pods at the same time.
    pub nodes: usize,
    /// Seed of the faults.
    pub seed: u64,
    /// Number of requests that a pod ships of each second.
    pub max_per_second: u32,
    /// Time between two shipments of a pod.
    pub every: Duration,
}

impl WeekOptions {
    /// Returns a week of fifty nodes.
    pub const fn new(scale: u32) -> Self {
        Self { scale, nodes: 50, seed: 17, max_per_second: 20, every: Duration::from_secs(3) }
    }
}

/// Result of a week in one place.
#[derive(Debug, Clone, Default)]
pub struct PlaceOutcome {
    /// Name of the place.
    pub place: &'static str,
    /// Sums over the nodes.
    pub counts: Counts,
    /// Answers to shipments that were lost.
    pub cut: u64,
    /// Requests that were removed for their age.
    pub expired: u64,
    /// Requests that followers saw, each follower by itself.
    pub followed: u64,
    /// Times from the acceptance of a request until a follower saw it.
    pub lags: Vec<Duration>,
}

/// Result of a week.
#[derive(Debug, Clone, Default)]
pub struct WeekOutcome {
    /// The database, and the bucket.
    pub places: Vec<PlaceOutcome>,
    /// Faults by their names.
    pub faults: BTreeMap<&'static str, u64>,
    /// Contradictions to the model. Empty if all is well.
    pub findings: Vec<String>,
    /// Time from the first hour to the last.
    pub time: Duration,
}

/// Runs a week.
///
/// # Errors
/// If servers, files or threads cannot be used. What is wrong with the fleet is in [`WeekOutcome::findings`].
pub fn run(options: &WeekOptions) -> Result<WeekOutcome> {
    let mut week = Week::start(options)?;
    let started = Instant::now();
    let followers = week.follow_database()?;
    for hour in 0..HOURS {
        week.inject(hour)?;
        week.serve(hour)?;
    }
    let time = started.elapsed();
    week.wait_until_shipped()?;
    let lags = week.serve_present()?;
    let mut outcome = week.finish(followers, lags)?;
    outcome.time = time;
    Ok(outcome)
}

/// Does something with all pods, on several threads.
pub(crate) fn on_pods(pods: &mut [Pod], f: impl Fn(&mut Pod) -> Result<()> + Sync) -> Result<()> {
    let (share, f) = (cmp::max(pods.len().div_ceil(SERVING), 1), &f);
    thread::scope(|scope| {
        let some = pods.chunks_mut(share);
        let threads: Vec<_> = some.map(|some| scope.spawn(move || some.iter_mut().try_for_each(f))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}

struct Week {
    options: WeekOptions,
    servers: Servers,
    /// By place.
    urls: [FleetUrl; 2],
    settings: PodSettings,
    schedule: BTreeMap<u64, Vec<Fault>>,
    faults: BTreeMap<&'static str, u64>,
    /// Start of the week, in milliseconds since the Unix epoch.
    start_ms: u64,
    pods: Vec<Pod>,
    lost: Vec<Pod>,
    next_pod: u16,
    /// True while nothing passes between the pods and a server.
    is_stalled: bool,
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

impl Week {
    fn start(options: &WeekOptions) -> Result<Self> {
        let servers = Servers::start()?;
        let urls = [servers.url(Place::Database, "week")?, servers.url(Place::Bucket, "week")?];
        for url in &urls {
            init(url, InitOptions { keep_days: Some(30) })?;
        }
        let start_ms = now_ms() / HOUR_MS * HOUR_MS - HOURS * HOUR_MS;
        servers.execute(&partitions("week", start_ms / HOUR_MS / 24))?;
        let pods_ship_to = urls.clone().map(Some);
        let settings = PodSettings {
            urls: pods_ship_to,
            every: options.every,
            max_per_second: options.max_per_second,
            small_disk: Some(7),
        };
        let schedule = schedule(options.seed, options.nodes);
        let mut week = Self {
            options: options.clone(),
            servers,
            urls,
            settings,
            schedule,
            faults: BTreeMap::new(),
            start_ms,
            pods: Vec::new(),
            lost: Vec::new(),
            next_pod: 0,
            is_stalled: false,
        };
        for slot in 0..options.nodes {
            let pod = week.new_pod(slot, 0)?;
            week.pods.push(pod);
        }
        Ok(week)
    }

    fn new_pod(&mut self, slot: usize, hour: u64) -> Result<Pod> {
        let number = self.next_pod;
        self.next_pod += 1;
        Pod::start(number, slot, hour, &self.settings)
    }

    fn url(&self, place: Place) -> &FleetUrl {
        &self.urls[place as usize]
    }

    fn follow_database(&self) -> Result<Vec<Follower>> {
        let url = self.url(Place::Database);
        let follower = |name, reopens| Follower::start(name, url, true, reopens, None);
        Ok(vec![
            follower("a follower of the database", false)?,
            follower("a follower that reconnects", true)?,
        ])
    }

    /// Injects the faults of an hour.
    fn inject(&mut self, hour: u64) -> Result<()> {
        for fault in self.schedule.remove(&hour).unwrap_or_default() {
            if self.is_stalled
                && matches!(fault, Fault::KillShipper(_) | Fault::Restart(_) | Fault::LosePod(_))
            {
                // A thread that waits for the network cannot be killed by itself, as a process can.
                self.schedule.entry(hour + 1).or_default().push(fault);
                continue;
            }
            *self.faults.entry(fault.name()).or_default() += 1;
            match fault {
                Fault::Stop(place) => self.servers.stop(place)?,
                Fault::Resume(place) => self.servers.resume(place)?,
                Fault::Cut(place) => self.servers.proxy(place).cut_answers(1),
                Fault::Stall(place, is_stalled) => {
                    self.servers.proxy(place).stall(is_stalled);
                    self.is_stalled = is_stalled;
                }
                Fault::KillShipper(pod) => self.pods[pod].kill_shippers()?,
                Fault::Restart(pod) => self.pods[pod].restart(hour)?,
                Fault::LosePod(slot) => {
                    self.pods[slot].lose()?;
                    let next = self.new_pod(slot, hour)?;
                    self.lost.push(std::mem::replace(&mut self.pods[slot], next));
                }
                Fault::FullDisk(is_full) => {
                    self.servers.execute(if is_full { FILL_DISK } else { FREE_DISK })?
                }
                Fault::OtherVersion(is_other) => {
                    let sign = if is_other { '+' } else { '-' };
                    self.servers.execute(&format!("update week.fleet set version = version {sign} 100"))?;
                }
                Fault::Compact => drop(compact(self.url(Place::Bucket), CompactOptions::default())?),
            }
        }
        Ok(())
    }

    /// Has all pods serve the requests of an hour.
    fn serve(&mut self, hour: u64) -> Result<()> {
        let nodes = self.options.nodes as f64;
        let of_pod = TRACES / f64::from(self.options.scale) / nodes;
        // More by day than by night.
        let by_day = 1.0 + 0.5 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
        let clumps = of_pod / HOURS as f64 / f64::from(CLUMP) * by_day;
        let in_outage = (of_pod * OUTAGE_SHARE / (OUTAGE.end - OUTAGE.start) as f64) as u32;
        let hour_ms = self.start_ms + hour * HOUR_MS;
        self.on_pods(|pod| {
            pod.serve_hour(hour_ms, clumps)?;
            if OUTAGE.contains(&hour) {
                let overflow = if pod.has_small_disk { OVERFLOW } else { 0 };
                pod.serve_outage(hour_ms, in_outage.max(overflow))?;
            }
            Ok(())
        })
    }

    fn on_pods(&mut self, f: impl Fn(&mut Pod) -> Result<()> + Sync) -> Result<()> {
        on_pods(&mut self.pods, f)
    }

    fn wait_until_shipped(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.pods.iter().all(Pod::is_shipped) {
            if Instant::now() > until {
                return Err("the pods do not get rid of what they have".into());
            }
            thread::park_timeout(POLL);
        }
        Ok(())
    }

    /// Serves some requests by the real clock, which followers of both places see. Returns the followed requests and lags.
    fn serve_present(&mut self) -> Result<[crate::follower::Followed; 2]> {
        let times = AcceptTimes::default();
        let follow = |place: Place| {
            let name = format!("a follower of {}", place.name());
            Follower::start(&name, self.url(place), false, false, Some(times.clone()))
        };
        let followers = [follow(Place::Database)?, follow(Place::Bucket)?];
        for _ in 0..PRESENT {
            self.on_pods(|pod| pod.serve_now(now_ms(), &times))?;
        }
        let wanted = u64::from(PRESENT) * self.pods.len() as u64;
        let mut followed = followers.map(|follower| follower.finish(wanted));
        for (followed, place) in followed.iter_mut().zip(Place::ALL) {
            let count = followed.seen.count();
            if count != wanted {
                let finding =
                    format!("a follower of {} saw {count} of {wanted} present requests", place.name());
                followed.findings.push(finding);
            }
        }
        Ok(followed)
    }

    /// Ends everything, and compares what arrived with the model.
    fn finish(
        mut self,
        followers: Vec<Follower>,
        mut present: [crate::follower::Followed; 2],
    ) -> Result<WeekOutcome> {
        self.on_pods(Pod::finish)?;
        let mut pods = std::mem::take(&mut self.pods);
        pods.append(&mut self.lost);
        let of_pods: BTreeMap<u16, NodeId> = pods.iter().map(|pod| (pod.number, pod.node)).collect();

        let mut findings = Findings::default();
        let mut places = Vec::new();
        for (place, present) in Place::ALL.into_iter().zip(&mut present) {
            let url = self.url(place);
            let content = oracle::content(url, &of_pods, &mut findings)?;
            let counts = oracle::check_pods(place, url, &pods, &content, &mut findings)?;
            oracle::check_queries(url, &content, &mut findings)?;
            oracle::check_secrets(url, &mut findings)?;
            findings.extend(std::mem::take(&mut present.findings));
            findings.extend(zerver_fleet::gaps(url)?);
            places.push((
                content,
                PlaceOutcome {
                    place: place.name(),
                    counts,
                    cut: self.servers.proxy(place).cut(),
                    followed: present.seen.count(),
                    lags: std::mem::take(&mut present.lags),
                    expired: 0,
                },
            ));
        }
        for (number, follower) in followers.into_iter().enumerate() {
            let (content, outcome) = &mut places[Place::Database as usize];
            let followed = follower.finish(content.seen.count());
            let (missed, extra) =
                (content.seen.without(&followed.seen), followed.seen.without(&content.seen));
            findings.check(missed + extra == 0, || {
                format!("follower {number} missed {missed} and saw {extra} others")
            });
            findings.extend(followed.findings);
            outcome.followed += followed.seen.count();
        }
        for (place, (content, outcome)) in Place::ALL.into_iter().zip(&mut places) {
            outcome.expired = self.remove_old(place, content, &of_pods, &mut findings)?;
        }
        self.check_archive(&of_pods, &mut findings)?;
        for folder in self.servers.folders() {
            let (found, all) = oracle::files_with_secrets(&folder)?;
            findings.check(found == 0 && all > 0, || {
                format!("{found} of {all} files in {folder:?} have secrets")
            });
        }
        let places = places.into_iter().map(|(_, outcome)| outcome).collect();
        Ok(WeekOutcome { places, faults: self.faults, findings: findings.into_vec(), time: Duration::ZERO })
    }

    /// Has a place remove its first days while they are read and followed. Returns the number of requests that are gone.
    fn remove_old(
        &self,
        place: Place,
        before: &Content,
        of_pods: &BTreeMap<u16, NodeId>,
        findings: &mut Findings,
    ) -> Result<u64> {
        let url = self.url(place);
        let at_once = CompactOptions { settle: Duration::ZERO, grace: Duration::ZERO };
        if place == Place::Bucket {
            // Everything is in packs from here on.
            compact(url, at_once)?;
            compact(url, at_once)?;
        }
        // The positions in a bucket are those of a process.
        let reopens = place == Place::Database;
        let follower = Follower::start("a follower of days that are removed", url, true, reopens, None)?;
        init(url, InitOptions { keep_days: Some(KEEP_DAYS) })?;
        let from = now_ms() / HOUR_MS;
        match place {
            Place::Database => self.servers.execute("select week.maintain()")?,
            Place::Bucket => drop(compact(url, at_once)?),
        }
        let until = now_ms() / HOUR_MS;
        let after = oracle::content(url, of_pods, findings)?;
        findings.extend(follower.finish(after.seen.count()).findings);
        // A database removes days, and a bucket hours.
        let kept = |hours: Range<u64>| -> Vec<u64> {
            let first = |now: u64| match place {
                Place::Database => (now / 24 - u64::from(KEEP_DAYS)) * 24,
                Place::Bucket => now - u64::from(KEEP_DAYS) * 24,
            };
            let of =
                |now: u64| before.hours.iter().filter(|(hour, _)| **hour >= first(now)).map(|(_, n)| n).sum();
            vec![of(hours.start), of(hours.end)]
        };
        let kept = kept(from..until);
        findings.check(kept.contains(&after.seen.count()), || {
            format!(
                "{} has {} requests, and not {kept:?}, without its first days",
                place.name(),
                after.seen.count()
            )
        });
        findings.check(after.seen.without(&before.seen) == 0, || {
            "new requests after days were removed".to_owned()
        });
        Ok(before.seen.count() - after.seen.count())
    }

    /// Moves old days of the database to a bucket, and reads both.
    fn check_archive(&self, of_pods: &BTreeMap<u16, NodeId>, findings: &mut Findings) -> Result<()> {
        let (url, to) = (self.url(Place::Database), self.servers.url(Place::Bucket, "archived")?);
        init(&to, InitOptions { keep_days: Some(365) })?;
        let before = oracle::content(url, of_pods, findings)?;
        let moved = archive(url, &to, RECENT_DAYS, &mut |_| {})?;
        findings.check(moved.days > 0, || format!("no day was moved to the archive: {moved:?}"));
        let after = oracle::content(url, of_pods, findings)?;
        findings.check(after.seen == before.seen, || {
            format!(
                "with the archive, {} requests are there, and not {}",
                after.seen.count(),
                before.seen.count()
            )
        });
        oracle::check_queries(url, &after, findings)
    }
}

const FILL_DISK: &str = "create function week.is_full() returns trigger language plpgsql as $$ begin raise exception \
                         'could not extend file: No space left on device' using errcode = 'disk_full'; end $$; create \
                         trigger is_full before insert on week.block for each row execute function week.is_full()";
const FREE_DISK: &str = "drop function week.is_full cascade";

/// Returns statements that make the partitions of past days, as the fleet would have made them then.
pub(crate) fn partitions(namespace: &str, first: u64) -> String {
    let of_day = |day: u64| {
        let table = |name: &str| {
            format!(
                "do $$ begin execute format('create table if not exists {namespace}.%I partition of {namespace}.{name} \
                 for values from (%s) to (%s)', '{name}_' || to_char(date '1970-01-01' + {day}, 'YYYYMMDD'), {day}, \
                 {day} + 1); end $$;"
            )
        };
        table("block") + &table("part")
    };
    // The last of them are there.
    (first..first + 7).map(of_day).collect()
}
