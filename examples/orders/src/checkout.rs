//! From a shopping cart to an order.

use ::http::StatusCode;
use zerver::effects::kv;
use zerver::prelude::*;

use crate::discount::Total;
use crate::payment::Receipt;

/// The order as the customer sends it.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub lines: Vec<Line>,
    pub coupon: Option<String>,
}

/// A number of one article.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub sku: String,
    pub count: u64,
}

/// Prices and stock of the ordered articles, in the order of the lines.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Shelf(pub Vec<Item>);

/// Price in cents and stock of one article.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub cents: u64,
    pub stock: u64,
}

/// A paid order.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub id: u64,
    pub due_cents: u64,
    pub receipt: String,
}

#[step]
pub fn parse_order(request: &Request) -> Result<Order, Failure> {
    let order: Order = request.json()?;
    let is_out_of_range = |line: &Line| !(1..=100).contains(&line.count);
    match order.lines.len() {
        0 => Err(Failure::invalid("lines").message("an order has at least one")),
        1..=20 if order.lines.iter().any(is_out_of_range) => {
            Err(Failure::invalid("count").message("1 to 100"))
        }
        1..=20 => Ok(order),
        _ => Err(Failure::invalid("lines").message("an order has at most 20")),
    }
}

/// Loads the prices and the stock of all articles at the same time.
#[step]
pub fn load_shelf(order: &Order) -> Decision<Shelf> {
    let item = |line: &Line| {
        let sku = line.sku.as_str();
        let cents = kv::get::<u64>(("price", sku)).or_not_found("sku", sku);
        let stock = kv::get::<u64>(("stock", sku)).or_not_found("sku", sku);
        all((cents, stock)).map(|(cents, stock)| Item { cents, stock })
    };
    Need(join_all(order.lines.iter().map(item)).map(Shelf))
}

#[step]
pub fn check_stock(order: &Order, shelf: &Shelf) -> Result<(), Failure> {
    let short = std::iter::zip(&order.lines, &shelf.0).find(|(line, item)| line.count > item.stock);
    short.map_or(Ok(()), |(line, _)| Err(Failure::conflict("stock", &line.sku)))
}

#[step]
pub fn store_order(total: &Total, receipt: &Receipt) -> Decision<Placed> {
    let (due_cents, receipt) = (total.due_cents, receipt.number.clone());
    Need(kv::add("last-order", 1).and_then(move |id| {
        let placed = Placed { id: id.unsigned_abs(), due_cents, receipt };
        kv::put(("order", placed.id), placed.clone()).map(|()| placed)
    }))
}

#[step]
pub fn render_placed(placed: &Placed) -> Response {
    Response::json(placed).status(StatusCode::CREATED).header("location", &format!("/orders/{}", placed.id))
}
