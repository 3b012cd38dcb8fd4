//! Generated data flows whose sources are known: sums, concatenations, selections, conditions and decoys over slots and
//! effects. The slice of a value must find its sources, and nothing else.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::*;
use zerver_engine::ArrivalTime;
use zerver_engine::Decision::Done;

/// Names of inputs and slots.
type Names = BTreeSet<String>;

/// A value with the inputs that it comes from.
#[derive(Debug, Clone)]
struct Tracked<T> {
    value: T,
    from: Names,
    /// True if it is an input as it came.
    is_plain: bool,
}

impl<T> Tracked<T> {
    fn new(value: T, from: &[&Names]) -> Self {
        Self { value, from: from.iter().copied().flatten().cloned().collect(), is_plain: false }
    }

    fn input(value: T, name: String) -> Self {
        Self { value, from: Names::from([name]), is_plain: true }
    }

    fn and_from(mut self, name: String) -> Self {
        self.from.insert(name);
        self
    }
}

/// Values that a step can use.
#[derive(Debug, Clone, Default)]
struct Scope {
    numbers: Vec<Tracked<i64>>,
    texts: Vec<Tracked<String>>,
    flags: Vec<Tracked<bool>>,
}

#[derive(Debug, Clone)]
enum Number {
    Constant(i64),
    Of(usize),
    Sum(Box<Self>, Box<Self>),
    /// A decoy: multiplied by zero.
    TimesZero(Box<Self>),
    /// A decoy: subtracted from itself.
    MinusItself(usize),
    Select(usize, Box<Self>, Box<Self>),
    /// The first one if the number exceeds a limit.
    Above(usize, i64, Box<Self>, Box<Self>),
    Length(usize),
}

#[derive(Debug, Clone)]
enum Text {
    Of(usize),
    Join(Box<Self>, Box<Self>),
    Shown(Number),
    Select(usize, Box<Self>, Box<Self>),
}

impl Number {
    fn eval(&self, scope: &Scope) -> Tracked<i64> {
        match self {
            Self::Constant(value) => Tracked::new(*value, &[]),
            Self::Of(at) => scope.numbers[*at].clone(),
            Self::Sum(a, b) => {
                let (a, b) = (a.eval(scope), b.eval(scope));
                Tracked::new(a.value.wrapping_add(b.value), &[&a.from, &b.from])
            }
            Self::TimesZero(a) => Tracked::new(a.eval(scope).value.wrapping_mul(0), &[]),
            Self::MinusItself(at) => {
                let value = scope.numbers[*at].value;
                Tracked::new(value.wrapping_sub(value), &[])
            }
            Self::Select(flag, a, b) => select(&scope.flags[*flag], a.eval(scope), b.eval(scope)),
            Self::Above(at, limit, a, b) => {
                let of = &scope.numbers[*at];
                let is_above = Tracked { value: of.value > *limit, from: of.from.clone(), is_plain: false };
                select(&is_above, a.eval(scope), b.eval(scope))
            }
            Self::Length(at) => Tracked::new(scope.texts[*at].value.len() as i64, &[&scope.texts[*at].from]),
        }
    }
}

impl Text {
    fn eval(&self, scope: &Scope) -> Tracked<String> {
        match self {
            Self::Of(at) => scope.texts[*at].clone(),
            Self::Join(a, b) => {
                let (a, b) = (a.eval(scope), b.eval(scope));
                Tracked::new(format!("{}|{}", a.value, b.value), &[&a.from, &b.from])
            }
            Self::Shown(number) => {
                let number = number.eval(scope);
                Tracked::new(format!("#{}", number.value), &[&number.from])
            }
            Self::Select(flag, a, b) => select(&scope.flags[*flag], a.eval(scope), b.eval(scope)),
        }
    }
}

/// Returns the selected value. The condition matters if the values differ, or if the other value changes with it.
fn select<T: PartialEq>(condition: &Tracked<bool>, a: Tracked<T>, b: Tracked<T>) -> Tracked<T> {
    let differ = a.value != b.value;
    let (mut chosen, other) = if condition.value { (a, b) } else { (b, a) };
    let matters = differ || !other.from.is_disjoint(&condition.from);
    chosen.is_plain = false;
    if matters {
        chosen.from.extend(condition.from.iter().cloned());
    }
    chosen
}

/// Values that a step computes.
#[derive(Debug, Clone, Default)]
struct Layer {
    numbers: Vec<Number>,
    texts: Vec<Text>,
}

impl Layer {
    fn eval(&self, scope: &Scope) -> Scope {
        Scope {
            numbers: self.numbers.iter().map(|number| number.eval(scope)).collect(),
            texts: self.texts.iter().map(|text| text.eval(scope)).collect(),
            flags: Vec::new(),
        }
    }
}

/// Arguments of an effect.
#[derive(Debug, Clone)]
struct Ask {
    key: Number,
    note: Text,
}

#[derive(Debug, Clone)]
struct Plan {
    first: Layer,
    asks: [Ask; 2],
    second: Layer,
    /// The request ends early if this number of the first slot exceeds the limit.
    gate: Option<(usize, i64)>,
    /// An effect that is requested only with this flag.
    extra: (usize, Ask),
    third: Layer,
    response: Layer,
}

/// Value in place of the answer of the effect that is not requested.
const WITHOUT_EXTRA: i64 = -77;

/// Plan that the steps follow. Only one test uses them.
static PLAN: Mutex<Option<Arc<Plan>>> = Mutex::new(None);

fn plan() -> Arc<Plan> {
    Arc::clone(PLAN.lock().unwrap().as_ref().unwrap())
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lookup {
    key: i64,
    note: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Found {
    value: i64,
    text: String,
    /// A decoy.
    unused: i64,
}

impl EffectKind for Lookup {
    const KIND: &'static str = "lookup";
    type Output = Found;
}

#[derive(Debug, Clone, Deserialize)]
struct Body {
    numbers: Vec<i64>,
    texts: Vec<String>,
    flags: Vec<bool>,
}

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct First {
    numbers: Vec<i64>,
    texts: Vec<String>,
    flags: Vec<bool>,
}

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct Second {
    numbers: Vec<i64>,
    texts: Vec<String>,
    /// Outputs of the effects, for later steps.
    found: Vec<i64>,
}

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct Third {
    numbers: Vec<i64>,
    texts: Vec<String>,
}

/// Creates values without names. Missing ones are 0 or empty, so that a shorter list never fails.
fn anonymous(numbers: &[i64], texts: &[String], flags: &[bool], sizes: (usize, usize, usize)) -> Scope {
    let plain = |value| Tracked { value, from: Names::new(), is_plain: true };
    let number = |at: usize| plain(numbers.get(at).copied().unwrap_or(0));
    let text = |at: usize| Tracked::new(texts.get(at).cloned().unwrap_or_default(), &[]);
    let flag = |at: usize| Tracked::new(flags.get(at).copied().unwrap_or(false), &[]);
    Scope {
        numbers: (0..sizes.0).map(number).collect(),
        texts: (0..sizes.1).map(text).collect(),
        flags: (0..sizes.2).map(flag).collect(),
    }
}

fn values<T: Clone>(tracked: &[Tracked<T>]) -> Vec<T> {
    tracked.iter().map(|of| of.value.clone()).collect()
}

fn joined(mut a: Scope, b: Scope) -> Scope {
    a.numbers.extend(b.numbers);
    a.texts.extend(b.texts);
    a.flags.extend(b.flags);
    a
}

const NUMBERS: usize = 5;
const TEXTS: usize = 3;
const FLAGS: usize = 2;
/// Numbers of the request: those of the body, the query, the path, and the arrival time.
const RAW_NUMBERS: usize = NUMBERS + 3;
/// Texts of the request: those of the body and a header.
const RAW_TEXTS: usize = TEXTS + 1;

#[step]
fn read(request: &Request, arrival: &ArrivalTime) -> Result<First, Failure> {
    let body: Body = request.json()?;
    let mut numbers: Vec<i64> = (0..NUMBERS).map(|at| body.numbers.get(at).copied().unwrap_or(0)).collect();
    numbers.extend([request.query_as("q")?.unwrap_or(0), request.param("id")?, arrival.unix_ns as i64]);
    let mut texts: Vec<String> =
        (0..TEXTS).map(|at| body.texts.get(at).cloned().unwrap_or_default()).collect();
    texts.push(request.header("x-note").unwrap_or_default().to_owned());
    let scope = anonymous(&numbers, &texts, &body.flags, (RAW_NUMBERS, RAW_TEXTS, FLAGS));
    let first = plan().first.eval(&scope);
    Ok(First { numbers: values(&first.numbers), texts: values(&first.texts), flags: body.flags })
}

fn first_scope(first: &First, plan: &Plan) -> Scope {
    anonymous(
        &first.numbers,
        &first.texts,
        &first.flags,
        (plan.first.numbers.len(), plan.first.texts.len(), FLAGS),
    )
}

fn lookup(ask: &Ask, scope: &Scope) -> Effect<Found> {
    effect(Lookup { key: ask.key.eval(scope).value, note: ask.note.eval(scope).value })
}

#[step]
fn fetch(first: &First) -> Decision<Second> {
    let plan = plan();
    let scope = first_scope(first, &plan);
    let asks = (lookup(&plan.asks[0], &scope), lookup(&plan.asks[1], &scope));
    Need(all(asks).map(move |(a, b)| {
        let answers = anonymous(&[a.value, b.value], &[a.text, b.text], &[], (2, 2, 0));
        let second = plan.second.eval(&joined(scope, answers));
        Second {
            numbers: values(&second.numbers),
            texts: values(&second.texts),
            found: vec![a.value, b.value],
        }
    }))
}

fn second_scope(first: &First, second: &Second, plan: &Plan) -> Scope {
    let numbers: Vec<i64> = second.numbers.iter().chain(&second.found).copied().collect();
    let sizes = (plan.second.numbers.len() + 2, plan.second.texts.len(), 0);
    let mut own = anonymous(&numbers, &second.texts, &[], sizes);
    // A list that was shortened must not move the numbers after it.
    let found = |at: usize| second.found.get(at).copied().unwrap_or(0);
    let count = plan.second.numbers.len();
    for (at, number) in own.numbers.iter_mut().enumerate() {
        let value = if at < count { second.numbers.get(at).copied().unwrap_or(0) } else { found(at - count) };
        number.value = value;
    }
    joined(first_scope(first, plan), own)
}

#[step]
fn combine(first: &First, second: &Second) -> Decision<Third> {
    let plan = plan();
    let scope = second_scope(first, second, &plan);
    if plan.gate.is_some_and(|(at, limit)| scope.numbers[at].value > limit) {
        return Done(Response::json(&"early"));
    }
    let third = |plan: &Plan, scope: Scope, extra: i64| {
        let third = plan.third.eval(&joined(scope, anonymous(&[extra], &[], &[], (1, 0, 0))));
        Third { numbers: values(&third.numbers), texts: values(&third.texts) }
    };
    let (flag, ask) = &plan.extra;
    if !scope.flags[*flag].value {
        return Continue(third(&plan, scope, WITHOUT_EXTRA));
    }
    let asked = lookup(ask, &scope);
    Need(asked.map(move |found| third(&plan, scope, found.value)))
}

#[derive(Serialize)]
struct Answer {
    total: i64,
    label: String,
    /// Another value, so that a change of the response is not a change of the total.
    other: Vec<i64>,
}

#[step]
fn respond(first: &First, second: &Second, third: &Third) -> Response {
    let plan = plan();
    let sizes = (plan.third.numbers.len(), plan.third.texts.len(), 0);
    let own = anonymous(&third.numbers, &third.texts, &[], sizes);
    let response = plan.response.eval(&joined(second_scope(first, second, &plan), own));
    Response::json(&Answer {
        total: response.numbers[0].value,
        label: response.texts[0].value.clone(),
        other: first.numbers.iter().chain(&second.numbers).chain(&third.numbers).copied().collect(),
    })
}

fn flow_of_plans() -> FlowDef {
    flow!("planted", POST "/planted/{id}", steps: [read, fetch, combine, respond])
}

fn answer(call: &Call) -> CallResult {
    let Lookup { key, note } = call.args::<Lookup>().unwrap();
    let found = Found { value: key.wrapping_mul(3).wrapping_add(1), text: format!("r{note}"), unused: 5 };
    Ok(Call::output::<Lookup>(found))
}

/// A generator of plans (SplitMix64).
struct Generator(u64);

impl Generator {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    /// Returns an expression. `scope` has the values of this request, from which limits are chosen.
    fn number(&mut self, scope: &Scope, depth: usize) -> Number {
        let at = self.below(scope.numbers.len());
        if depth == 0 {
            return if self.below(6) == 0 {
                Number::Constant(self.below(1 << 30) as i64)
            } else {
                Number::Of(at)
            };
        }
        let mut inner = || Box::new(self.number(scope, depth - 1));
        let (a, b) = (inner(), inner());
        match self.below(8) {
            0 | 1 => Number::Of(at),
            2 => Number::Sum(a, b),
            3 => Number::Sum(a, Box::new(Number::TimesZero(b))),
            4 => Number::Sum(a, Box::new(Number::MinusItself(at))),
            5 if !scope.flags.is_empty() => Number::Select(self.below(scope.flags.len()), a, b),
            6 if scope.numbers[at].is_plain => {
                // The number is just above the limit, or just not.
                let limit = scope.numbers[at].value - self.below(2) as i64;
                Number::Above(at, limit, a, b)
            }
            7 => {
                let text = self.below(scope.texts.len());
                if scope.texts[text].is_plain { Number::Length(text) } else { Number::Of(at) }
            }
            _ => Number::Sum(a, b),
        }
    }

    fn text(&mut self, scope: &Scope, depth: usize) -> Text {
        let at = self.below(scope.texts.len());
        if depth == 0 {
            return Text::Of(at);
        }
        match self.below(5) {
            0 => Text::Of(at),
            1 => Text::Join(Box::new(self.text(scope, depth - 1)), Box::new(self.text(scope, depth - 1))),
            2 if !scope.flags.is_empty() => {
                let flag = self.below(scope.flags.len());
                Text::Select(
                    flag,
                    Box::new(self.text(scope, depth - 1)),
                    Box::new(self.text(scope, depth - 1)),
                )
            }
            _ => Text::Shown(self.number(scope, depth - 1)),
        }
    }

    fn layer(&mut self, scope: &Scope, numbers: usize, texts: usize) -> Layer {
        Layer {
            numbers: (0..numbers).map(|_| self.number(scope, 2)).collect(),
            texts: (0..texts).map(|_| self.text(scope, 2)).collect(),
        }
    }

    fn ask(&mut self, scope: &Scope) -> Ask {
        Ask { key: self.number(scope, 1), note: self.text(scope, 1) }
    }
}

/// Names the values of a layer as parts of a slot.
fn as_slot(slot: &str, layer: Scope) -> Scope {
    let named = |kind: &str, at: usize| format!("slot.{slot}.{kind}.{at}");
    Scope {
        numbers: (0..).zip(layer.numbers).map(|(at, of)| of.and_from(named("numbers", at))).collect(),
        texts: (0..).zip(layer.texts).map(|(at, of)| of.and_from(named("texts", at))).collect(),
        flags: (0..).zip(layer.flags).map(|(at, of)| of.and_from(named("flags", at))).collect(),
    }
}

/// A plan, with the sources of each value that can be asked about.
struct Planted {
    plan: Plan,
    truth: Vec<(String, Names)>,
    body: String,
}

fn planted(seed: u64) -> Planted {
    let mut random = Generator(seed);
    let numbers: Vec<i64> = (0..NUMBERS).map(|_| 2 + random.below(500) as i64).collect();
    let texts: Vec<String> = (0..TEXTS).map(|at| format!("t{at}{}", random.below(1000))).collect();
    // The second flag requests the third effect, so that it was recorded.
    let flags = vec![random.below(2) == 0, true];
    let body = serde_json::json!({ "numbers": numbers, "texts": texts, "flags": flags, "unused": { "deep": [1, "x"] } });
    let mut raw = Scope::default();
    for (at, value) in numbers.iter().enumerate() {
        raw.numbers.push(Tracked::input(*value, format!("request.body.numbers.{at}")));
    }
    raw.numbers.push(Tracked::input(5, "query.q".into()));
    raw.numbers.push(Tracked::input(7, "param.id".into()));
    raw.numbers.push(Tracked::input(1_000, "request.arrival_time".into()));
    for (at, value) in texts.into_iter().enumerate() {
        raw.texts.push(Tracked::input(value, format!("request.body.texts.{at}")));
    }
    raw.texts.push(Tracked::input("note".into(), "header.x-note".into()));
    for (at, value) in flags.into_iter().enumerate() {
        raw.flags.push(Tracked::input(value, format!("request.body.flags.{at}")));
    }

    let first_layer = random.layer(&raw, 4, 2);
    let mut first = first_layer.eval(&raw);
    first.flags.clone_from(&raw.flags);
    let mut truth: Vec<(String, Names)> = Vec::new();
    let ask_slot = |truth: &mut Vec<(String, Names)>, slot: &str, of: &Scope, also: &Names| {
        let with = |from: &Names| from.union(also).cloned().collect::<Names>();
        truth.push((format!("slot.{slot}.numbers.0"), with(&of.numbers[0].from)));
        truth.push((format!("slot.{slot}.texts.0"), with(&of.texts[0].from)));
    };
    ask_slot(&mut truth, "First", &first, &Names::new());
    let first = as_slot("First", first);

    let asks = [random.ask(&first), random.ask(&first)];
    let answered = |call: usize, ask: &Ask, scope: &Scope, truth: &mut Vec<(String, Names)>, also: &Names| {
        let (key, note) = (ask.key.eval(scope), ask.note.eval(scope));
        for (name, from) in [("key", &key.from), ("note", &note.from)] {
            truth.push((format!("effect.{call}.args.{name}"), from.union(also).cloned().collect()));
        }
        let both: Names = key.from.union(&note.from).cloned().collect();
        let output = |name: &str| format!("effect.{call}.output.{name}");
        let value = key.value.wrapping_mul(3).wrapping_add(1);
        Scope {
            numbers: vec![Tracked::new(value, &[&both]).and_from(output("value"))],
            texts: vec![Tracked::new(format!("r{}", note.value), &[&both]).and_from(output("text"))],
            flags: Vec::new(),
        }
    };
    let nothing = Names::new();
    let a = answered(0, &asks[0], &first, &mut truth, &nothing);
    let b = answered(1, &asks[1], &first, &mut truth, &nothing);
    let found: Vec<_> = [&a, &b]
        .iter()
        .zip(0..)
        .map(|(of, at)| of.numbers[0].clone().and_from(format!("slot.Second.found.{at}")))
        .collect();
    let with_answers = joined(joined(first.clone(), a), b);
    let second_layer = random.layer(&with_answers, 3, 2);
    let second = second_layer.eval(&with_answers);
    ask_slot(&mut truth, "Second", &second, &nothing);
    let mut second = as_slot("Second", second);
    second.numbers.extend(found);

    let scope = joined(first, second);
    let plain = (0..4).filter(|at| scope.numbers[*at].is_plain).collect::<Vec<_>>();
    let gate = (random.below(2) == 0 && !plain.is_empty()).then(|| {
        let at = plain[random.below(plain.len())];
        (at, scope.numbers[at].value)
    });
    let gated: Names = gate.map_or_else(Names::new, |(at, _)| scope.numbers[at].from.clone());
    let extra = (1, random.ask(&scope));
    let flag = scope.flags[1].from.clone();
    let when: Names = flag.union(&gated).cloned().collect();
    let mut extra_scope = answered(2, &extra.1, &scope, &mut truth, &when);
    extra_scope.texts.clear();
    extra_scope.numbers[0].from.extend(flag);
    let with_extra = joined(scope.clone(), extra_scope);
    let third_layer = random.layer(&with_extra, 3, 2);
    let third = third_layer.eval(&with_extra);
    ask_slot(&mut truth, "Third", &third, &gated);
    let with_third = joined(scope, as_slot("Third", third));
    let response = random.layer(&with_third, 1, 1);
    let said = response.eval(&with_third);
    truth.push(("response.body.total".into(), said.numbers[0].from.union(&gated).cloned().collect()));
    truth.push(("response.body.label".into(), said.texts[0].from.union(&gated).cloned().collect()));
    let plan =
        Plan { first: first_layer, asks, second: second_layer, gate, extra, third: third_layer, response };
    Planted { plan, truth, body: body.to_string() }
}

fn sliced(trace: &Trace, target: &str) -> ValueSlice {
    let recording = Recording { trace: trace.clone(), secrets: Secrets::default() };
    let route = |request: &mut Request| {
        let Some(id) = request.uri.path().strip_prefix("/planted/").map(ToOwned::to_owned) else {
            return false;
        };
        request.params.clear();
        request.params.push(("id".into(), id));
        true
    };
    let (edits, context) = (Edits::default(), ReplayContext::default());
    let flow = ready(&flow_of_plans());
    let replay = Replay { recording: &recording, flow: &flow, route: &route, edits: &edits, context };
    let request = SliceRequest { target: target.parse().unwrap(), seen: Vec::new(), skipped: Vec::new() };
    replay.slice(&request, &mut |_| {}).unwrap()
}

#[test]
fn a_hundred_planted_flows_are_found_and_nothing_else() {
    let (mut found, mut missed, mut wrong, mut undecided, mut decides) = (0, Vec::new(), Vec::new(), 0, 0);
    for seed in 0..100 {
        let Planted { plan, truth, body } = planted(seed);
        *PLAN.lock().unwrap() = Some(Arc::new(plan));
        let request = Request { method: http::Method::POST, ..Request::get("/planted/7?q=5&unused=1") }
            .with_header("x-note", "note")
            .with_header("accept", "*/*")
            .with_param("id", "7")
            .with_body(body);
        let trace = record_by(&flow_of_plans(), request, false, usize::MAX, &mut answer);
        assert_eq!(trace.status, 200);
        // Each request is asked about another of its values, and the first ones about its response.
        let (target, wanted) =
            &truth[if seed % 3 == 0 { truth.len() - 2 } else { seed as usize % truth.len() }];
        let slice = sliced(&trace, target);
        decides += slice.sources.iter().filter(|source| source.relation == Relation::Decides).count();
        undecided += slice.undecided.len();
        let sources = slice.sources.iter().map(|source| source.input.clone());
        let names: Names = sources.chain(slice.slots.iter().map(|slot| slot.slot.clone())).collect();
        found += names.intersection(wanted).count();
        missed.extend(wanted.difference(&names).map(|name| format!("{seed}: {target} from {name}")));
        wrong.extend(names.difference(wanted).map(|name| format!("{seed}: {target} from {name}")));
    }
    assert_eq!(wrong, [] as [&str; 0], "precision");
    assert!(
        missed.len() * 20 <= found + missed.len(),
        "recall: {found} found, {} missed: {missed:#?}",
        missed.len()
    );
    assert!(found > 500 && decides > 20 && undecided == 0, "{found} {decides} {undecided}");
}
