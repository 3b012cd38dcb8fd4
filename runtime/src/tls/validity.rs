//! The time until which a certificate is valid, for messages to the operator. Clients decide by themselves whether they accept
//! it, so nothing is refused here.

/// Tags of DER that a certificate begins with (RFC 5280, section 4.1).
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Returns the first and the last second of a certificate, since the Unix epoch. `None` if it is not encoded as expected.
pub(super) fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    let mut certificate = Der(certificate).read(SEQUENCE)?;
    let mut signed = certificate.read(SEQUENCE)?;
    if signed.0.first() == Some(&VERSION) {
        signed.read(VERSION)?;
    }
    signed.read(INTEGER)?;
    // Algorithm and issuer.
    signed.read(SEQUENCE)?;
    signed.read(SEQUENCE)?;
    let mut validity = signed.read(SEQUENCE)?;
    Some((validity.time()?, validity.time()?))
}

/// Values in DER, one after another.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Reads the content of the next value, which must have this tag.
    fn read(&mut self, tag: u8) -> Option<Self> {
        let (found, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (len, rest) = match *first {
            short @ ..=0x7f => (usize::from(short), rest),
            // Lengths of up to four bytes.
            long @ 0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
                (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        (*found == tag).then_some(Self(content))
    }

    /// Reads a time: `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
    fn time(&mut self) -> Option<i64> {
        let (digits, century) = match *self.0.first()? {
            UTC_TIME => (self.read(UTC_TIME)?.0, None),
            GENERALIZED_TIME => {
                let text = self.read(GENERALIZED_TIME)?.0;
                let (century, rest) = text.split_at_checked(2)?;
                (rest, Some(number(century)? * 100))
            }
            _ => return None,
        };
        let digits = digits.strip_suffix(b"Z").filter(|digits| digits.len() == 12)?;
        let mut pairs = digits.chunks(2).map(number);
        let mut next = || pairs.next()?;
        let year = next()?;
        // A time with two digits for the year is between 1950 and 2049.
        let year = century.unwrap_or(if year < 50 { 2000 } else { 1900 }) + year;
        let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

/// Days since the Unix epoch in the civil calendar, with years that begin in March.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn times_are_read_from_both_forms() {
        let (from, until) = validity(&certificate((1970, 1, 1), (2024, 2, 29))).unwrap();
        assert_eq!((from, until), (0, 1_709_164_800));
        assert_eq!(
            validity(&certificate((1999, 12, 31), (2049, 12, 31))).unwrap(),
            (946_598_400, 2_524_521_600)
        );
        assert_eq!(validity(&certificate((2000, 3, 1), (2050, 1, 1))).unwrap().1, 2_524_608_000);
    }

    #[test]
    fn what_is_no_certificate_has_no_times() {
        let whole = certificate((2024, 1, 1), (2030, 1, 1));
        for len in 0..whole.len().min(200) {
            assert_eq!(validity(&whole[..len]), None, "{len}");
        }
        for at in 0..200 {
            let mut changed = whole.clone();
            changed[at] = 0xff;
            // Whatever it returns, it does not panic.
            let _ = validity(&changed);
        }
        assert_eq!(validity(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
