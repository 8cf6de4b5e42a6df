//! The template engine as every page uses it: strict about names, sparing with blank lines, and escaping as people
//! write HTML.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, escape_formatter};

/// An environment without templates.
pub fn environment<'source>() -> Environment<'source> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the standard delimiters differ from each other"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(format);
    environment
}

/// Escapes text for HTML. The engine's own way escapes `/` also, which makes URLs hard to read and saves nothing.
fn format(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    match value.as_str() {
        Some(text)
            if value.kind() == ValueKind::String
                && !value.is_safe()
                && matches!(state.auto_escape(), AutoEscape::Html) =>
        {
            for part in text.split_inclusive(['&', '<', '>', '"', '\'']) {
                let plain = part.trim_end_matches(['&', '<', '>', '"', '\'']);
                out.write_str(plain)?;
                out.write_str(match &part[plain.len()..] {
                    "&" => "&amp;",
                    "<" => "&lt;",
                    ">" => "&gt;",
                    "\"" => "&quot;",
                    "'" => "&#x27;",
                    _ => "",
                })?;
            }
            Ok(())
        }
        _ => escape_formatter(out, state, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_html_is_escaped_and_a_url_stays_readable() {
        let render = |text: &str| {
            environment().render_named_str("a.html", "<a href=\"{{ text }}\">{{ 3 }}", minijinja::context! { text })
        };
        let shown = render("https://a/?b=1&c='<\">&&").expect("rendered");
        assert_eq!(shown, "<a href=\"https://a/?b=1&amp;c=&#x27;&lt;&quot;&gt;&amp;&amp;\">3");
    }

    #[test]
    fn a_name_that_is_not_there_is_an_error() {
        assert!(environment().render_named_str("a.html", "{{ nothing }}", ()).is_err());
    }
}
