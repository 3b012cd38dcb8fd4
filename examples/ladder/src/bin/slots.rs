//! Slots: how steps hand values to each other.
//!
//! `curl localhost:3000/celsius/451` responds `{"celsius":232.8}`.

use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().flow(flow!("celsius", GET "/celsius/{fahrenheit}", steps: [parse, convert, render]))
}

/// A slot is a type. One step of a flow writes it; later steps read it as `&Fahrenheit`.
#[slot]
#[derive(Debug, PartialEq)]
struct Fahrenheit(f64);

#[slot]
#[derive(Debug, PartialEq)]
struct Celsius {
    celsius: f64,
}

/// Writes `Fahrenheit`, or fails with a 404: a path whose parameter does not parse names nothing.
#[step]
fn parse(request: &Request) -> Result<Fahrenheit, Failure> {
    request.param("fahrenheit").map(Fahrenheit)
}

/// Reads `Fahrenheit`. Put this step first in the flow, and the program does not compile.
#[step]
fn convert(fahrenheit: &Fahrenheit) -> Celsius {
    Celsius { celsius: ((fahrenheit.0 - 32.0) / 1.8 * 10.0).round() / 10.0 }
}

#[step]
fn render(celsius: &Celsius) -> Response {
    Response::json(celsius)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_tested_by_calling_it() {
        assert_eq!(convert(&Fahrenheit(451.0)), Celsius { celsius: 232.8 });
    }

    #[test]
    fn what_is_not_a_number_is_not_found() {
        let response = app().test("celsius").get("/celsius/warm").run();
        assert_eq!(response.status(), 404);
        assert_eq!(response.slot::<Celsius>(), None);
    }
}
