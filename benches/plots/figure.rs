//! Lines over a logarithmic axis, as an SVG that is readable on light and dark pages.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// Where the lines are: the rest is for words.
const LEFT: f64 = 72.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 340.0;
/// What a line's name needs below the next one's.
const NAME_HEIGHT: f64 = 18.0;
/// At most so many steps on the upright axis.
const STEPS_MAX: f64 = 6.0;
/// The page brings its own ground, so that it does not matter what the page around it has.
const STYLE: &str = "\
    svg{color-scheme:light dark;font:14px system-ui,sans-serif}\
    .ground{fill:#fff}.words{fill:#57606a}.head{fill:#1f2328;font-weight:600;font-size:16px}.grid{stroke:#d8dee4}\
    polyline{fill:none;stroke-width:2.5;stroke-linejoin:round}text.name{font-weight:600}\
    .a{stroke:#0969da}.b{stroke:#bc4c00}.c{stroke:#1a7f37}.fa{fill:#0969da}.fb{fill:#bc4c00}.fc{fill:#1a7f37}\
    @media(prefers-color-scheme:dark){.ground{fill:#0d1117}.words{fill:#9198a1}.head{fill:#f0f6fc}.grid{stroke:#30363d}\
    .a{stroke:#58a6ff}.b{stroke:#f0883e}.c{stroke:#3fb950}.fa{fill:#58a6ff}.fb{fill:#f0883e}.fc{fill:#3fb950}}";
const CLASSES: [char; LINES_MAX] = ['a', 'b', 'c'];
/// As many as there are colours.
pub const LINES_MAX: usize = 3;

/// A picture of how times depend on a number.
#[derive(Debug)]
pub struct Figure {
    /// What is shown.
    pub title: &'static str,
    /// What stands on the level axis, a number that grows by tens.
    pub along: &'static str,
    /// What stands on the upright one.
    pub up: &'static str,
    /// The command that makes it.
    pub made_by: &'static str,
    /// Names and points.
    pub lines: [(&'static str, Vec<(f64, f64)>); LINES_MAX],
}

impl Figure {
    /// The whole file.
    pub fn to_svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let decade = |edge: f64| edge.log10();
        let first = points().map(|point| decade(point.0)).fold(f64::INFINITY, f64::min).floor();
        let last = points().map(|point| decade(point.0)).fold(f64::NEG_INFINITY, f64::max).ceil();
        let step = step(points().map(|point| point.1).fold(0.0, f64::max));
        let steps = (points().map(|point| point.1).fold(0.0, f64::max) / step).ceil();
        let across = |x: f64| LEFT + (RIGHT - LEFT) * (decade(x) - first) / (last - first);
        let above = |y: f64| BOTTOM - (BOTTOM - TOP) * y / (step * steps);
        let Self { title, along, up, made_by, .. } = self;

        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" role=\"img\" aria-labelledby=\"t\">\n<!-- {made_by} -->\n<title id=\"t\">{title}</title>\n\
             <style>{STYLE}</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n\
             <text class=\"head\" x=\"16\" y=\"28\">{title}</text>\n<text class=\"words\" x=\"16\" y=\"50\">{up}</text>\n"
        );
        let mut write = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("a string takes everything");
        for number in 0..=steps as u32 {
            let value = step * f64::from(number);
            let (y, below) = (above(value), above(value) + 5.0);
            write(format_args!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"));
            let (x, value) = (LEFT - 8.0, grouped(value));
            write(format_args!("<text class=\"words\" text-anchor=\"end\" x=\"{x}\" y=\"{below:.1}\">{value}</text>"));
        }
        for exponent in first as i32..=last as i32 {
            let value = 10_f64.powi(exponent);
            let (x, y, value) = (across(value), BOTTOM + 20.0, grouped(value));
            write(format_args!("<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>"));
            write(format_args!("<text class=\"words\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{y}\">{value}</text>"));
        }
        let (middle, y) = (f64::midpoint(LEFT, RIGHT), BOTTOM + 46.0);
        write(format_args!("<text class=\"words\" text-anchor=\"middle\" x=\"{middle}\" y=\"{y}\">{along}</text>"));
        let mut names = Vec::new();
        for ((name, points), class) in self.lines.iter().zip(CLASSES) {
            let drawn = points.iter().map(|&(x, y)| format!("{:.1},{:.1}", across(x), above(y)));
            write(format_args!("<polyline class=\"{class}\" points=\"{}\"/>", drawn.collect::<Vec<_>>().join(" ")));
            for &(x, y) in points {
                let (across, above) = (across(x), above(y));
                let (x, y) = (grouped(x), grouped(y));
                write(format_args!(
                    "<circle class=\"f{class}\" cx=\"{across:.1}\" cy=\"{above:.1}\" r=\"3\"><title>{name}, {x}: {y} ns</title></circle>"
                ));
            }
            if let Some(&(_, y)) = points.last() {
                names.push((above(y) + 5.0, class, name));
            }
        }
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = TOP;
        for (y, class, name) in names {
            let (x, y) = (RIGHT + 12.0, y.max(free));
            write(format_args!("<text class=\"name f{class}\" x=\"{x}\" y=\"{y:.1}\">{name}</text>"));
            free = y + NAME_HEIGHT;
        }
        out.push_str("</svg>\n");
        out
    }
}

/// The least of 1, 2 and 5 times a power of ten that reaches `highest` in few steps.
fn step(highest: f64) -> f64 {
    let power = 10_f64.powf((highest / STEPS_MAX).log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|factor| factor * power);
    steps.into_iter().find(|step| highest / step <= STEPS_MAX).unwrap_or(10.0 * power)
}

/// `1,000,000`.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
