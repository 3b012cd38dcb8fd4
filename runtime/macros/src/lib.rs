//! Macros of zerver: `#[step]`, `#[slot]`, `#[derive(Slot)]`, `#[derive(Row)]`, `#[effect]`, `chain!` and `flow!`.
//!
//! They only describe. `zerver-engine` checks and runs what they describe.

mod crate_paths;
mod effect;
mod flow;
mod row;
mod slot;
mod step;
mod stream;

use proc_macro::TokenStream;

/// Makes a function a step.
///
/// The function stays as it is, so tests can call it. The macro adds a hidden type of the same name that describes it:
/// name, source line, documentation, reads and writes.
///
/// - A parameter `&Todo` reads a slot: one that an earlier step writes, or a built-in one (`&Request`, `&RequestId`,
///   `&ArrivalTime`, `&Random`).
/// - A parameter `Option<&Todo>` reads a slot that may be unwritten.
/// - A parameter `Option<Progress>`, by value, is the progress with which the step last yielded.
/// - The return type is a `Decision`, a `Response`, the slots that the step writes, or a `Result` of one of these with
///   `Failure`.
///
/// `#[step(protects)]` marks a step that refuses requests which are not allowed. A service with `App::require_protection` has
/// one in each flow that is not `public`.
#[proc_macro_attribute]
pub fn step(arguments: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or an enum a slot: a value that one step writes and later steps read.
///
/// It derives `Slot`, and serde's `Serialize` and `Deserialize`, which recordings need. The service needs no dependency
/// on serde for that; `#[serde(..)]` attributes and further derives work as usual.
///
/// `#[slot(secret)]` seals the values in the store and masks them wherever they are shown. `#[slot(index)]` has stores keep
/// an index of the values, so that `zerver ls slot.UserId=ann` reads few requests.
#[proc_macro_attribute]
pub fn slot(arguments: TokenStream, item: TokenStream) -> TokenStream {
    slot::expand_attribute(arguments.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes an async function an effect.
///
/// `#[effect] async fn charge(#[resource] bank: &Bank, card: CardId, cents: u64) -> Result<Receipt, Declined>` becomes
/// a function `charge(card, cents) -> Effect<Receipt>` for steps, and `App::effect::<charge>()` has the service perform
/// it. The body runs when the effect is performed; `charge::perform(&bank, card, cents)` runs it directly, for tests of
/// its own.
///
/// - A parameter is an argument: it is recorded, so its type implements `Serialize`, `Deserialize` and `Clone`. `&str`
///   and other references are fine.
/// - A parameter `#[resource] bank: &Bank` is not recorded. `App::resource`, or `Startup::resource` in a startup hook,
///   provides one value of the type for all calls.
/// - A parameter `#[context] context: &EffectContext` tells on behalf of which request the effect is performed.
/// - The output is recorded too. If it is a `Result`, an error fails the request, unless the step catches it with
///   `Effect::catch`, or the error type implements `Into<Failure>` to choose the response. An error type with
///   `Serialize` and `Deserialize` comes back as itself, also in a replay.
///
/// `#[effect(..)]` takes `kind = ".."` (the name in traces and settings; that of the function by default), `idempotent`
/// (may be retried), `safe` (changes nothing), `temporary = is_temporary` (a function of `&Error`: another attempt may
/// succeed), `target = ..` and `summary = ..` (expressions over references to the arguments).
#[proc_macro_attribute]
pub fn effect(arguments: TokenStream, item: TokenStream) -> TokenStream {
    effect::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an async function the stream of a response: its items are sent to the client while it runs.
///
/// `async fn prices(symbol: String, #[resource] hub: &Hub, to: StreamSender<ServerEvent>) -> Result<(), HubError>` defines
/// `prices(symbol)`, which a step responds with: `Response::stream(prices(symbol))`. `App::effect::<prices>()` registers it, as for
/// [`macro@effect`]. The last parameter is the sender; the type of its items determines the `Content-Type`. Arguments, `#[resource]`
/// and `#[context]` are those of effects.
///
/// If the function returns an error, the body breaks off, and the trace says why.
///
/// Options, as in `#[stream(kind = "prices")]`: `kind = ".."`, `target = ..`, `summary = ..` and `safe`.
#[proc_macro_attribute]
pub fn stream(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = stream::expand(stream::Attribute::Stream, arguments.into(), item.into());
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an async function the session of a WebSocket: it exchanges messages with the client.
///
/// The last parameter is the socket (`WebSocket`); the others are those of [`macro@effect`]. Calling `chat(room)` describes the
/// session, which a step responds with: `Response::websocket(chat(room))`. `App::effect::<chat>()` registers it, as for
/// [`macro@stream`]. It needs the Cargo feature `websocket` of zerver.
///
/// The function returns nothing or a `Result`. When it ends, the socket is closed, with the code 1011 after an error.
///
/// Options, as in `#[websocket(kind = "chat")]`: `kind = ".."`, `target = ..`, `summary = ..` and `safe`.
#[proc_macro_attribute]
pub fn websocket(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = stream::expand(stream::Attribute::WebSocket, arguments.into(), item.into());
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or an enum the typed input of steps, such as the `NewTodo` of `Json<NewTodo>`: it derives serde's
/// `Deserialize`, without a dependency on serde. Attributes of serde, such as `#[serde(default)]`, work as usual.
#[proc_macro_attribute]
pub fn input(arguments: TokenStream, item: TokenStream) -> TokenStream {
    slot::expand_input(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Implements `Slot` alone, for types with their own `Serialize` and `Deserialize`. Most slots use `#[slot]` instead.
///
/// `#[slot(secret)]` or `#[slot(index)]` after the derive marks the slot as a secret, or as one with an index.
#[proc_macro_derive(Slot, attributes(slot))]
pub fn derive_slot(item: TokenStream) -> TokenStream {
    slot::expand_derive(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Implements `zerver::effects::sql::Row` for a struct: each field is read from the column of its name.
///
/// `#[row(rename = "created_at")]` on a field names another column.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(item: TokenStream) -> TokenStream {
    row::expand(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a chain, a list of steps that several flows share: `const AUTH: Chain = chain![parse_auth, lookup_user];`.
#[proc_macro]
pub fn chain(item: TokenStream) -> TokenStream {
    flow::expand_chain(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a flow of a name, a route and steps:
/// `flow!("todos-item", GET "/v1/todos/{id}", before: AUTH, steps: [parse_id, load_todo, render_todo])`.
///
/// `before` is optional: a chain, or a list of chains in brackets.
///
/// `public` declares that anyone may use the flow: `flow!("about", GET "/about", public, steps: [show])`. It matters to
/// services with `App::require_protection`.
///
/// The description of the flow for the catalog and OpenAPI is optional, too: its version after the name, and the keys `owner`,
/// `summary`, `aliases`, `slo` and `responses`. They are constants, so that a date that does not exist is an error of the
/// compiler: `flow!("order-show" v2, GET "/v2/orders/{id}", owner: "checkout", aliases: [Alias::redirect("/orders/{id}")
/// .deprecated("2026-12-01").until("2027-03-01")], steps: [load, show])`.
///
/// The order of the steps is checked at compile time. Each step reads only slots that earlier steps write, no slot has
/// two writers, and the last step always responds. This applies to `Option<&Slot>` too, since such a slot would be
/// `None` in every request. If that is intended, because a step is shared with other flows, declare it:
/// `flow!("feed-guest", GET "/feed/guest", unwritten: [Claims], steps: [load_feed, render_feed])`.
#[proc_macro]
pub fn flow(item: TokenStream) -> TokenStream {
    flow::expand_flow(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
