//! Reads and compiles a filter.

use jaq_core::data::JustLut;
use jaq_core::load::lex::{Lexer, StrPart};
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::load::{Arena, File, Loader, Parser};
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::path::Part;
use jaq_core::{Compiler, compile};
use jaq_json::Val;

use super::place::Misfit;
use super::print::json;

/// A filter that can be run.
pub(super) type Program = jaq_core::Filter<JustLut<Val>>;

type Data = JustLut<Val>;

/// The definition that the filter becomes.
const MAIN: &str = "__whaleware_filter";

/// Understands the filter as `jq -r ".$1"` did, and as it stands where that is not jq.
pub(super) fn compile_as_the_original(filter: &str) -> Result<Program, Misfit> {
    let filter = filter.trim();
    // `."x\(.a)"` is jq too, but nobody means the key of that name.
    let interpolated = filter.starts_with('"') && filter.contains("\\(");
    if filter.starts_with('.') || interpolated {
        return compile(filter);
    }
    let dotted = format!(".{filter}");
    compile(&dotted).or_else(|misfit_dotted| {
        compile(filter).map_err(|misfit| {
            // The reading that got further is the one that was meant.
            let misfit_dotted = misfit_dotted.shifted(filter);
            if filter.is_empty() || misfit_dotted.offset() > misfit.offset() {
                misfit_dotted
            } else {
                misfit
            }
        })
    })
}

fn compile(filter: &str) -> Result<Program, Misfit> {
    let tokens = Lexer::new(filter)
        .lex()
        .map_err(|errors| Misfit::of_lexer(filter, errors))?;
    // A term only, not a module: there are no files to import from.
    let mut term = Parser::new(&tokens)
        .parse(Parser::term)
        .map_err(|errors| Misfit::of_parser(filter, errors))?;
    interpolate_as_jq(&mut term);
    let main = Def {
        name: MAIN,
        args: Vec::new(),
        body: term,
    };
    let arena = Arena::default();
    let file = File {
        code: MAIN,
        path: (),
    };
    let modules = Loader::new(definitions().chain([main]))
        .load(&arena, file)
        .map_err(|_| Misfit::defect(filter))?;
    Compiler::default()
        .with_funs(functions())
        .with_global_vars(["$ENV"])
        .compile(modules)
        .map_err(|errors: compile::Errors<&str, ()>| Misfit::of_compiler(filter, errors))
}

fn definitions<'a>() -> impl Iterator<Item = Def<&'a str>> {
    let library = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .map(|definition: Def<&str>| match definition.name {
            "tostring" | "@text" => Def {
                body: text(),
                ..definition
            },
            _ => definition,
        });
    let extras = jaq_core::load::parse(include_str!("extras.jq"), |parser| parser.defs());
    library
        .chain(extras.unwrap_or_default())
        .map(|mut definition| {
            if definition.name == "@sh" {
                interpolate_as_jq(&mut definition.body);
            }
            definition
        })
}

/// What a value is as text: the library would say `200.0` where jq says `200`.
fn text<'a>() -> Term<&'a str> {
    jaq_core::load::parse(
        r#"if . >= "" and . < [] then . else tojson end"#,
        |parser| parser.term(),
    )
    .unwrap_or_default()
}

fn functions() -> impl Iterator<Item = Fun<Data>> {
    let library = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        // `env` of the library panics over what is not UTF-8.
        .filter(|(name, _, _)| !matches!(*name, "tojson" | "env"));
    let own = [run::<Data>(("tojson", v(0), |input| {
        bome(Ok(Val::utf8_str(json(input.1))))
    }))];
    library.chain(own)
}

/// Has every string without a format of its own use `tostring`.
fn interpolate_as_jq(term: &mut Term<&str>) {
    let each = interpolate_as_jq;
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Break(_)
        | Term::Var(_)
        | Term::Arr(None) => {}
        Term::Str(format, parts) => {
            for part in parts.iter_mut() {
                if let StrPart::Term(term) = part {
                    format.get_or_insert("tostring");
                    each(term);
                }
            }
        }
        Term::Arr(Some(term)) | Term::Neg(term) | Term::Label(_, term) => each(term),
        Term::Obj(entries) => {
            for (key, value) in entries {
                each(key);
                value.iter_mut().for_each(each);
            }
        }
        Term::BinOp(left, operator, right) => {
            if let BinaryOp::Pipe(Some(pattern)) = operator {
                interpolate_in_pattern(pattern);
            }
            each(left);
            each(right);
        }
        Term::Fold(_, source, pattern, arguments) => {
            each(source);
            interpolate_in_pattern(pattern);
            arguments.iter_mut().for_each(each);
        }
        Term::TryCatch(attempt, catch) => {
            each(attempt);
            catch.as_deref_mut().map(each);
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, then) in branches {
                each(condition);
                each(then);
            }
            otherwise.as_deref_mut().map(each);
        }
        Term::Def(definitions, term) => {
            for definition in definitions {
                each(&mut definition.body);
            }
            each(term);
        }
        Term::Call(_, arguments) => arguments.iter_mut().for_each(each),
        Term::Path(term, path) => {
            each(term);
            for (part, _) in &mut path.0 {
                match part {
                    Part::Index(index) => each(index),
                    Part::Range(from, to) => from.iter_mut().chain(to).for_each(each),
                }
            }
        }
    }
}

fn interpolate_in_pattern(pattern: &mut Pattern<&str>) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(inner) => inner.iter_mut().for_each(interpolate_in_pattern),
        Pattern::Obj(entries) => {
            for (key, inner) in entries {
                interpolate_as_jq(key);
                interpolate_in_pattern(inner);
            }
        }
    }
}
