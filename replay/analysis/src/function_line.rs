//! Functions of steps in the source files of today.

/// Returns the line, from 1, at which a function begins now: code above it may have changed since the recording. Prefers the
/// nearest function of that name; without one, returns the recorded line.
pub fn function_line(lines: &[String], function: &str, recorded: u32) -> u32 {
    let found = (1..).zip(lines).filter(|(_, line)| is_function(line, function)).map(|(at, _)| at);
    found.min_by_key(|at: &u32| at.abs_diff(recorded)).unwrap_or(recorded)
}

/// Returns true if a function of this name begins on the line.
fn is_function(line: &str, name: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| *word != "fn").skip(1);
    let rest = words.next().and_then(|word| word.strip_prefix(name));
    rest.is_some_and(|rest| rest.starts_with(['(', '<']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_after_it_has_moved() {
        let text = "// fn load in a comment is not followed by a parenthesis\n\
                    fn load_all() {}\n\
                    \n\
                    pub fn load(id: &Id) -> Todo {\n\
                    }\n\
                    mod more {\n\
                    \x20   pub(super) fn load<'a>(id: &'a Id) {}\n\
                    }\n";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(function_line(&lines, "load", 2), 4);
        assert_eq!(function_line(&lines, "load", 40), 7);
        assert_eq!(function_line(&lines, "removed", 2), 2);
        assert_eq!(function_line(&[], "load", 2), 2);
    }
}
