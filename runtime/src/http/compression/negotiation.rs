//! Which coding a client accepts (RFC 9110, section 12.5.3).

use http::{HeaderMap, header};

use super::encoder::Coding;

/// Codings in the order in which they are preferred if the client has no preference: the fastest first.
const PREFERRED: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

/// Returns the coding that the client prefers among those that it accepts.
pub(in crate::http) fn accepted(headers: &HeaderMap) -> Option<Coding> {
    let mut weights = [None; PREFERRED.len()];
    let mut others = None;
    for line in headers.get_all(header::ACCEPT_ENCODING) {
        for item in line.to_str().ok()?.split(',') {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let (name, weight) = (name.trim_ascii(), weight(parameters));
            match PREFERRED.iter().position(|coding| coding.is_named(name)) {
                Some(at) => weights[at] = Some(weight),
                None if name == "*" => others = Some(weight),
                None => {}
            }
        }
    }
    let weighted = std::iter::zip(PREFERRED, weights).filter_map(|(coding, weight)| {
        let weight = weight.or(others).filter(|weight| *weight > 0)?;
        Some((weight, coding))
    });
    // The first of several with the same weight.
    weighted.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, coding)| coding)
}

/// Returns the weight in thousandths. What is malformed counts as not accepted.
fn weight(parameters: &str) -> u16 {
    let Some(value) = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim_ascii().eq_ignore_ascii_case("q").then(|| value.trim_ascii())
    }) else {
        return 1000;
    };
    match value.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1000.0) as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_decides() {
        for (lines, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["gzip"], Some(Coding::Gzip)),
            (&["x-gzip"], Some(Coding::Gzip)),
            (&["GZIP, deflate"], Some(Coding::Gzip)),
            (&["gzip, deflate, br, zstd"], Some(Coding::Zstd)),
            (&["gzip", "br"], Some(Coding::Brotli)),
            (&["gzip;q=1, br;q=0.5"], Some(Coding::Gzip)),
            (&["gzip;q=0.2,br;q=0.8,zstd;q=0.8"], Some(Coding::Zstd)),
            (&["gzip;q=0"], None),
            (&["*"], Some(Coding::Zstd)),
            (&["*;q=0.5, zstd;q=0"], Some(Coding::Brotli)),
            (&["*;q=0"], None),
            (&["gzip;q=2"], None),
            (&["gzip;q=NaN"], None),
            (&["gzip;Q=0.5"], Some(Coding::Gzip)),
            (&["gzip;level=9;q=0"], None),
            (&[",,gzip , "], Some(Coding::Gzip)),
            (&["gzipped"], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT_ENCODING, line.parse().unwrap());
            }
            assert_eq!(accepted(&headers), expected, "{lines:?}");
        }
    }
}
