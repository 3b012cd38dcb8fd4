//! A service that takes money: idempotent payments whose keys are in its database, and orders that undo their payments.
//! A request with the header `hold` waits at that point until another one releases it, so that a test can end the process
//! there.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

use zerver::effects::sql;
use zerver::prelude::*;
use zerver::{Idempotency, KeyStore, idempotency};
use zerver_postgres::Postgres;

zerver::main!(app);

/// Waits at a point of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hold(String);

impl EffectKind for Hold {
    const KIND: &'static str = "hold";
    type Output = ();

    fn is_safe(&self) -> bool {
        true
    }
}

/// Lets all requests go on, now and later.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Release;

impl EffectKind for Release {
    const KIND: &'static str = "release";
    type Output = ();
}

static IS_RELEASED: AtomicBool = AtomicBool::new(false);
static WAITING: Mutex<Vec<Waker>> = Mutex::new(Vec::new());

#[expect(clippy::print_stderr, reason = "the test waits for it")]
fn hold(hold: &Hold) -> impl Future<Output = Result<(), EffectError>> + use<> {
    eprintln!("holding {}", hold.0);
    poll_fn(|context| {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if IS_RELEASED.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        waiting.push(context.waker().clone());
        Poll::Pending
    })
}

async fn release() -> Result<(), EffectError> {
    let waiting = {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        IS_RELEASED.store(true, Ordering::Relaxed);
        std::mem::take(&mut *waiting)
    };
    waiting.into_iter().for_each(Waker::wake);
    Ok(())
}

fn hold_at(request: &Request, point: &str) -> Decision<()> {
    match request.header("hold") {
        Some(wanted) if wanted == point => Need(effect(Hold(point.to_owned()))),
        _ => Continue(()),
    }
}

/// Number of rows of a sum, and the time that the database takes for each of them.
const ROWS: usize = 10;
const ROW_SECONDS: f64 = 0.008;

/// Number of a payment.
#[derive(Debug, Clone, Copy, Slot, Serialize, Deserialize)]
struct Payment(i64);

/// Number of a parcel.
#[derive(Debug, Clone, Copy, Slot, Serialize, Deserialize)]
struct Parcel(i64);

#[step]
fn hold_before(request: &Request) -> Decision<()> {
    hold_at(request, "before")
}

#[step]
fn charge() -> Decision<Payment> {
    Need(new_payment())
}

#[step]
fn hold_after(request: &Request) -> Decision<()> {
    hold_at(request, "after")
}

#[step]
fn show_payment(payment: &Payment) -> Response {
    Response::text(format!("payment {}", payment.0)).status(StatusCode::CREATED)
}

/// Charges, and takes it back if the request fails later.
#[step]
fn charge_for_order() -> Decision<Payment> {
    let refund = |payment: &Payment| {
        sql::query("delete from payments where id = $1").bind(payment.0).named("refund").execute()
    };
    Need(new_payment().undo(refund))
}

/// Packs a parcel, which is not unpacked if the request fails.
#[step]
fn pack() -> Decision<Parcel> {
    let insert = sql::query("insert into parcels default values returning id").named("pack");
    Need(insert.one().map(Parcel))
}

#[step]
fn ship(parcel: &Parcel) -> Decision<()> {
    let update = sql::query("update parcels set is_shipped = true where id = $1").bind(parcel.0);
    Need(update.named("ship").execute().timeout(5.seconds()).map(|_| ()))
}

#[step]
fn show_order(payment: &Payment, parcel: &Parcel) -> Response {
    Response::text(format!("payment {}, parcel {}", payment.0, parcel.0))
}

fn new_payment() -> Effect<Payment> {
    let insert = sql::query("insert into payments default values returning id").named("charge");
    insert.one().timeout(5.seconds()).map(Payment)
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Count(i64);

#[step]
fn count() -> Decision<Count> {
    Need(sql::query("select count(*) from payments").one().map(Count))
}

#[step]
fn show_count(count: &Count) -> Response {
    Response::text(count.0.to_string())
}

/// Asks for each row by itself, one after another.
#[step]
fn sum_one_by_one() -> Decision<Count> {
    let row = |sum: i64| {
        let query = sql::query("select 1::int8 from pg_sleep($1)").bind(ROW_SECONDS).named("row");
        query.one::<i64>().map(move |one| sum + one)
    };
    Need((1..ROWS).fold(row(0), |rows, _| rows.and_then(row)).map(Count))
}

#[step]
fn release_all() -> Decision<()> {
    Need(effect(Release))
}

#[step]
fn done() -> Response {
    Response::text("done")
}

fn app() -> App {
    App::new()
        .idempotency(Idempotency { store: KeyStore::Sql, ..Idempotency::default() })
        .interpreter::<Hold>(hold)
        .interpreter::<Release>(|_: &Release| release())
        .flow(flow!("pay", POST "/payments", steps: [hold_before, charge, hold_after, show_payment],
            idempotent: required))
        .flow(flow!("order", POST "/orders", steps: [charge_for_order, pack, ship, show_order]))
        .flow(flow!("order-without-undo", POST "/careless-orders", steps: [charge, pack, ship, show_order]))
        .flow(flow!("count", GET "/payments/count", steps: [count, show_count]))
        .flow(flow!("sum", GET "/payments/sum", steps: [sum_one_by_one, show_count]))
        .flow(flow!("release", POST "/release", steps: [release_all, done]))
        .on_startup_async(async |startup| {
            let database = Postgres::from_url(&std::env::var("DATABASE_URL")?)?;
            let tables = sql::Migrations::of([
                ("1.sql", "create table payments (id int8 generated always as identity primary key);"),
                ("2.sql", "create table parcels (id int8 generated always as identity, is_shipped bool);"),
                ("3.sql", idempotency::CREATE_TABLE),
            ]);
            database.migrate_all(&tables).await?;
            startup.interpreter(database);
            Ok(())
        })
}
