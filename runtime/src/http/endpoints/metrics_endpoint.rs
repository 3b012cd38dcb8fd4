//! The `/metrics` endpoint: the metrics of a service, as OpenMetrics text for Prometheus or as JSON for `zerver top`.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use http::{HeaderMap, HeaderValue, header};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use zerver_engine::service_docs::{
    AliasMetrics, ChaosMetrics, ClassMetrics, EffectMetrics, FlowMetrics, LatencyExemplar, ServiceMetrics,
    SloMetrics, StepMetrics, TargetMetrics, WorkerMetrics,
};
use zerver_engine::{Chaos, ChaosRule, Failure, Response};

use crate::scheduler;
use crate::server::workers::worker::Worker;

const TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Returns the current metrics in the format that the `accept` header requests.
pub(crate) fn answer(worker: &Worker, headers: &HeaderMap) -> Response {
    let mut metrics = scheduler::collect_metrics(
        &worker.service.scheduler,
        worker.worker_context.service_clock.elapsed_ns(),
    );
    metrics.chaos = worker.service.readiness.interpreters().chaos().map(chaos).unwrap_or_default();
    let aliases = worker.service.router.aliases();
    metrics.aliases = aliases
        .map(|(flow, alias)| AliasMetrics {
            flow: flow.info().name.clone(),
            alias: alias.alias().pattern().to_owned(),
            requests: alias.requests(),
        })
        .collect();
    metrics.recorder = worker.service.recorder_status.as_ref().map(|status| status());
    let wants_json = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
    if wants_json {
        return Response::json(&metrics);
    }
    let exemplars = exemplars(&metrics);
    let mut registry = Registry::with_prefix("zerver");
    registry.register_collector(Box::new(Scrape(metrics)));
    let mut text = String::new();
    if encode(&mut text, &registry).is_err() {
        return Failure::internal("metrics").to_response();
    }
    let mut response = Response::text(with_exemplars(&text, exemplars.into_iter()));
    response.headers.insert(header::CONTENT_TYPE, TEXT);
    response
}

fn chaos(chaos: &Chaos) -> Vec<ChaosMetrics> {
    let rule = |(rule, injected): (&ChaosRule, u64)| ChaosMetrics { rule: rule.to_string(), injected };
    chaos.rules().map(rule).collect()
}

#[derive(Debug)]
struct Scrape(ServiceMetrics);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let ServiceMetrics {
            uptime_ns,
            reclassified,
            flow_demotions,
            flow_promotions,
            late_completions,
            malformed,
            classes,
            workers,
            steps,
            flows,
            slos,
            aliases,
            effects,
            targets,
            chaos,
            recorder,
        } = &self.0;
        let mut out = MetricWriter(encoder);
        out.gauge("uptime", "Time since the service started", Some(Unit::Seconds), seconds(*uptime_ns))?;
        out.count("reclassified", "Requests moved to the batch class while they ran", *reclassified)?;
        out.count(
            "flow_demotions",
            "Flows moved to the batch pool because their steps often exceeded the quantum",
            *flow_demotions,
        )?;
        out.count("flow_promotions", "Flows moved back from the batch pool", *flow_promotions)?;
        out.count(
            "late_completions",
            "Effects that completed after their request had stopped waiting",
            *late_completions,
        )?;
        out.count("malformed_requests", "Requests that were not valid HTTP", *malformed)?;
        let class = |value: fn(&ClassMetrics) -> u64| {
            classes.iter().map(move |class| (vec![("class", class.name.clone())], value(class)))
        };
        out.gauges("class_waiting", "Requests that wait for a turn", class(|class| class.waiting))?;
        out.counts("class_requests", "Requests that started", class(|class| class.requests))?;
        out.counts("class_waits", "Turns that a request had to wait for", class(|class| class.waits))?;
        out.times("class_wait", "Time spent waiting for turns", class(|class| class.waited_ns))?;
        out.counts("class_aged", "Turns given ahead of a more urgent class", class(|class| class.aged))?;
        out.counts("class_left", "Requests whose client left while they waited", class(|class| class.left))?;
        out.counts("class_shed", "Requests that were shed", class(|class| class.shed))?;
        let refused = classes.iter().flat_map(|class| {
            [("full", class.full), ("late", class.overdue)]
                .map(|(why, n)| (vec![("class", class.name.clone()), ("why", why.to_owned())], n))
        });
        out.counts("class_refused", "Requests that a queue did not accept or keep", refused)?;
        let step = |value: fn(&StepMetrics) -> u64| {
            let labels = |step: &StepMetrics| vec![("flow", step.flow.clone()), ("step", step.name.clone())];
            steps.iter().map(move |step| (labels(step), value(step)))
        };
        out.counts("step_runs", "Runs of a step", step(|step| step.runs))?;
        out.times("step_queued", "Time that steps waited to run", step(|step| step.queued_ns))?;
        out.times("step_executing", "Time that steps ran", step(|step| step.executing_ns))?;
        out.times(
            "step_waiting",
            "Time spent waiting for the effects of a step",
            step(|step| step.waiting_ns),
        )?;
        out.counts("step_yields", "Runs of a step after it yielded", step(|step| step.yields))?;
        out.counts("step_overruns", "Runs of a step that exceeded the quantum", step(|step| step.overruns))?;
        out.counts(
            "step_retries",
            "Attempts after the first for effects of a step",
            step(|step| step.retries),
        )?;
        out.latencies(flows)?;
        let objective =
            |slo: &SloMetrics| vec![("flow", slo.flow.clone()), ("objective", slo.objective.clone())];
        let slo = |value: fn(&SloMetrics) -> u64| slos.iter().map(move |slo| (objective(slo), value(slo)));
        out.counts("slo_requests", "Requests to a flow with this objective", slo(|slo| slo.requests))?;
        out.counts("slo_bad_requests", "Requests that missed the objective", slo(|slo| slo.bad))?;
        let budgets = slos.iter().map(|slo| (objective(slo), slo.budget));
        out.ratios("slo_budget", "Share of the requests that may miss the objective", budgets)?;
        let burn_rates = slos.iter().flat_map(|slo| {
            slo.windows.iter().map(|window| {
                let mut labels = objective(slo);
                labels.push(("window", window.name().to_owned()));
                (labels, window.burn_rate)
            })
        });
        out.ratios("slo_burn_rate", "Share of bad requests, relative to the budget", burn_rates)?;
        let used = aliases.iter().map(|alias| {
            (vec![("flow", alias.flow.clone()), ("alias", alias.alias.clone())], alias.requests)
        });
        out.counts("alias_requests", "Requests that used an alias of a flow", used)?;
        let effect = |value: fn(&EffectMetrics) -> u64| {
            effects.iter().map(move |effect| (vec![("kind", effect.kind.clone())], value(effect)))
        };
        out.gauges("effects_in_flight", "Effects in flight", effect(|effect| effect.in_flight))?;
        out.gauges("effects_waiting", "Effects queued for a permit", effect(|effect| effect.waiting))?;
        out.counts("effect_waits", "Effects that had to wait for a permit", effect(|effect| effect.waits))?;
        out.times("effect_wait", "Time spent waiting for permits", effect(|effect| effect.waited_ns))?;
        out.counts(
            "effect_left",
            "Effects canceled while they waited for a permit",
            effect(|effect| effect.left),
        )?;
        let target = |value: fn(&TargetMetrics) -> u64| {
            targets.iter().map(move |target| (vec![("target", target.target.clone())], value(target)))
        };
        out.gauges("target_in_flight", "Effects in flight", target(|target| target.in_flight))?;
        out.gauges(
            "target_breaker_open",
            "1 if the circuit breaker refuses calls",
            target(|target| u64::from(target.breaker != "closed")),
        )?;
        out.gauges("target_retry_budget", "Retries allowed now", target(|target| target.budget))?;
        out.counts("target_breaker_opened", "Times the breaker opened", target(|target| target.opened))?;
        out.counts("target_retries", "Retries that the budget allowed", target(|target| target.retries))?;
        let refused = targets.iter().flat_map(|target| {
            let by = [
                ("breaker", target.breaker_refusals),
                ("rate", target.rate_refusals),
                ("budget", target.budget_refusals),
            ];
            by.map(|(why, n)| (vec![("target", target.target.clone()), ("why", why.to_owned())], n))
        });
        out.counts("target_refused", "Calls and retries that a policy did not let through", refused)?;
        out.counts(
            "target_rate_waits",
            "Calls that waited for the rate limit",
            target(|target| target.rate_waits),
        )?;
        out.times(
            "target_rate_wait",
            "Time spent waiting for the rate limit",
            target(|target| target.rate_waited_ns),
        )?;
        let injected = chaos.iter().map(|chaos| (vec![("rule", chaos.rule.clone())], chaos.injected));
        out.counts("chaos_injected", "Faults that a rule of chaos injected into effects", injected)?;
        let worker = |value: fn(&WorkerMetrics) -> u64| {
            workers.iter().map(move |worker| (vec![("worker", worker.name.clone())], value(worker)))
        };
        out.times("worker_busy", "Time that a thread was awake", worker(|worker| worker.busy_ns))?;
        out.counts("worker_steals", "Requests stolen from another worker", worker(|worker| worker.steals))?;
        out.gauges("worker_connections", "Open connections", worker(|worker| worker.connections))?;
        out.counts(
            "worker_delayed_answers",
            "Effect results that had to wait because the thread was busy",
            worker(|worker| worker.delayed_answers),
        )?;
        out.times(
            "worker_answer_delay",
            "Time that effect results waited because the thread was busy",
            worker(|worker| worker.answer_delay_ns),
        )?;
        out.counts(
            "worker_delayed_heads",
            "Requests whose head was read right after a long step",
            worker(|worker| worker.delayed_heads),
        )?;
        out.times(
            "worker_head_delay",
            "Upper bound of the time that these heads were unread",
            worker(|worker| worker.head_delay_ns),
        )?;
        out.gauges(
            "worker_stuck",
            "1 if the thread is stuck in a step",
            worker(|worker| u64::from(worker.stuck)),
        )?;
        let Some(recorder) = recorder else { return Ok(()) };
        out.gauge("recorder_backlog", "Requests that wait to be written", None, recorder.backlog as f64)?;
        out.gauge("recorder_paused", "1 if recording is paused", None, f64::from(u8::from(recorder.paused)))?;
        let bytes = recorder.bytes_on_disk as f64;
        out.gauge("recorder_disk", "Size of the store", Some(Unit::Bytes), bytes)?;
        out.count("recorder_recorded", "Requests that were written", recorder.recorded)?;
        out.count("recorder_not_kept", "Requests that the policy did not keep", recorder.not_kept)?;
        out.count("recorder_dropped", "Requests dropped because the queue was full", recorder.dropped)?;
        out.count("recorder_lost", "Requests that could not be written", recorder.lost)?;
        out.count(
            "recorder_store_replaced",
            "Number of times the store was removed or replaced while it was in use",
            recorder.store_replaced,
        )?;
        let Some(fleet) = &recorder.fleet else { return Ok(()) };
        out.gauge(
            "fleet_online",
            "1 if the last shipment succeeded",
            None,
            f64::from(u8::from(fleet.online)),
        )?;
        out.gauge("fleet_waiting", "Recorded requests that wait to be shipped", None, fleet.waiting as f64)?;
        let bytes = fleet.behind_bytes as f64;
        out.gauge("fleet_behind", "Size of the closed blocks that wait", Some(Unit::Bytes), bytes)?;
        out.count("fleet_shipped", "Requests that arrived at the fleet", fleet.shipped)?;
        let unshipped = "Recorded requests that exceeded fleet.max_per_second and are not shipped";
        out.count("fleet_unshipped", unshipped, fleet.unshipped)?;
        out.count("fleet_failures", "Shipments that failed", fleet.failures)
    }
}

/// Beginning of each line of a bucket of latencies.
const BUCKET: &str = "zerver_request_seconds_bucket{";

/// Returns the exemplars of all buckets of latencies, in the order in which they are encoded.
fn exemplars(metrics: &ServiceMetrics) -> Vec<Option<LatencyExemplar>> {
    metrics.flows.iter().flat_map(|flow| &flow.buckets).map(|bucket| bucket.exemplar.clone()).collect()
}

/// Adds exemplars to the lines of the buckets. The library encodes only those of its own histograms, which take a lock for
/// each observation.
fn with_exemplars(text: &str, mut exemplars: impl Iterator<Item = Option<LatencyExemplar>>) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let exemplar = if line.starts_with(BUCKET) { exemplars.next().flatten() } else { None };
        let Some(LatencyExemplar { request_id, duration_ns, unix_ns }) = exemplar else {
            out.push_str(line);
            continue;
        };
        let (took, at) = (seconds(duration_ns), unix_ns / 1_000_000);
        let _ = writeln!(
            out,
            "{} # {{request_id=\"{request_id}\"}} {took} {}.{:03}",
            line.trim_end(),
            at / 1_000,
            at % 1_000
        );
    }
    out
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

type Labels = Vec<(&'static str, String)>;

struct MetricWriter<'e>(DescriptorEncoder<'e>);

impl MetricWriter<'_> {
    fn count(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(metric)
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<Unit>, value: f64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?)
    }

    fn counts(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            encode_labeled(&mut metric, &labels, &ConstCounter::new(value))?;
        }
        Ok(())
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        self.ratios(name, help, values.into_iter().map(|(labels, value)| (labels, value as f64)))
    }

    fn ratios(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            encode_labeled(&mut metric, &labels, &ConstGauge::new(value))?;
        }
        Ok(())
    }

    fn latencies(&mut self, flows: &[FlowMetrics]) -> fmt::Result {
        let help = "Time from the head of a request to its response";
        let unit = Some(&Unit::Seconds);
        let mut metric = self.0.encode_descriptor("request", help, unit, MetricType::Histogram)?;
        for FlowMetrics { flow, sum_ns, buckets } in flows {
            let bounds = buckets.iter().map(|bucket| bucket.bound_ns.map_or(f64::INFINITY, seconds));
            let buckets: Vec<_> = bounds.zip(buckets.iter().map(|bucket| bucket.count)).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let labels: Labels = vec![("flow", flow.clone())];
            let none: Option<&HashMap<usize, Exemplar<Labels, f64>>> = None;
            metric.encode_family(&labels)?.encode_histogram(seconds(*sum_ns), count, &buckets, none)?;
        }
        Ok(())
    }

    /// Converts values from nanoseconds to seconds.
    fn times(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Counter)?;
        for (labels, ns) in values {
            encode_labeled(&mut metric, &labels, &ConstCounter::new(seconds(ns)))?;
        }
        Ok(())
    }
}

fn encode_labeled(metric: &mut MetricEncoder<'_>, labels: &Labels, value: &impl EncodeMetric) -> fmt::Result {
    value.encode(metric.encode_family(labels)?)
}
