//! Parts that all pages share: the frame around them, keys, text, the style and the script.

pub(crate) mod assets;
mod frame;
mod keys;
mod messages;
mod text;
pub(crate) mod values;

pub(crate) use frame::{Frame, Tab, key_tables};
pub(crate) use messages::{message_page, sign_in_page};
pub(crate) use text::{
    age, amount, duration, instant, rate, request_id, safe, status, status_text, table_empty, title_of,
};
