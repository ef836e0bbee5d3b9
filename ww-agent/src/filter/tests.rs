use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Ended, FilterError, Layout, MAX_FILTER, STACK, Strings, Style, apply};

#[path = "../../../fuzz/checks/filter.rs"]
mod check;

const RAW: Style = Style {
    strings: Strings::Raw,
    layout: Layout::Compact,
};

fn configuration() -> Map<String, Value> {
    serde_json::from_str(
        r#"{
            "memory": 400, "half": 0.5, "name": "O'Neil", "on": true, "none": null,
            "odd key": "odd", "a": {"b": {"c": 7}}, "list": [3, 1, 2],
            "users": [{"name": "ann", "age": 30}, {"name": "bob", "age": 25}],
            "url": "http://db.example:5432/shop", "when": "2015-03-05T23:51:47Z",
            "big": 12345678901234567, "secret": "hunter2"
        }"#,
    )
    .unwrap()
}

fn run(filter: &str, style: Style) -> (Vec<String>, Result<Ended, FilterError>) {
    let mut answers = Vec::new();
    let ended = apply(filter, &configuration(), style, |answer| {
        answers.push(String::from_utf8_lossy(answer).into_owned());
        Ok(())
    });
    (answers, ended)
}

/// In a thread of its own, as `cfg` does it.
fn with_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(work).unwrap().join().unwrap()
}

#[track_caller]
fn gives(table: &[(&'static str, &'static [&'static str])]) {
    for (filter, expected) in table {
        let (answers, ended) = run(filter, RAW);
        assert!(ended.is_ok(), "{filter}: {ended:?}");
        assert_eq!(&answers, expected, "{filter}");
    }
}

#[test]
fn the_legacy_rule_takes_a_word_for_a_key() {
    gives(&[
        ("memory", &["400"]),
        (".memory", &["400"]),
        (" memory ", &["400"]),
        ("a.b.c", &["7"]),
        (r#"a["b"].c"#, &["7"]),
        (r#"["odd key"]"#, &["odd"]),
        (r#""odd key""#, &["odd"]),
        ("list[0]", &["3"]),
        ("missing", &["null"]),
        ("missing.deeper", &["null"]),
        ("missing // 5", &["5"]),
        ("memory // 5", &["400"]),
        ("memory | . + 1", &["401"]),
        ("users[].name", &["ann", "bob"]),
        ("keys", &["null"]),
        (". | keys | length", &["13"]),
        (".|length", &["13"]),
    ]);
    assert_eq!(run("", RAW).0, run(".", RAW).0);
    assert_eq!(run("[]", RAW).0.len(), 13);
}

#[test]
fn what_is_no_key_is_taken_as_it_stands() {
    gives(&[
        ("{a: .memory}", &[r#"{"a":400}"#]),
        (r#""x\(.memory)""#, &["x400"]),
        ("if .on then 1 else 2 end", &["1"]),
        ("reduce .list[] as $x (0; . + $x)", &["6"]),
        ("map(1)|length", &["13"]),
        ("limit(2; .list[])", &["3", "1"]),
        ("select(.on) | .memory", &["400"]),
        ("(.memory, .half)", &["400", "0.5"]),
        ("try error(\"x\") catch .", &["x"]),
        ("[.name, 1]", &["null", "null"]),
    ]);
}

#[test]
fn paths_pipes_and_alternatives() {
    gives(&[
        ("..|numbers|select(. == 7)", &["7"]),
        (".users | map(.age) | add", &["55"]),
        (".users[] | select(.age > 28).name", &["ann"]),
        (".users | sort_by(.age) | .[0].name", &["bob"]),
        (
            ".users | map({(.name): .age}) | add",
            &[r#"{"ann":30,"bob":25}"#],
        ),
        (
            ".list | sort, max, min, length",
            &["[1,2,3]", "3", "1", "3"],
        ),
        (".list[1:]", &["[1,2]"]),
        (".list[-1]", &["2"]),
        (".name[0:2]", &["O'"]),
        (".a | to_entries[0].key", &["b"]),
        (".a.b | with_entries(.value += 1)", &[r#"{"c":8}"#]),
        (
            ".|[{name:\"n\",value:1},{k:\"m\",v:false}] | from_entries",
            &[r#"{"n":1,"m":false}"#],
        ),
        (".a | [paths] | length", &["2"]),
        (".a | getpath([\"b\",\"c\"])", &["7"]),
        (".a | del(.b.c)", &[r#"{"b":{}}"#]),
        (".a | .b.c |= . * 2", &[r#"{"b":{"c":14}}"#]),
        (".a | has(\"b\"), (.b | has(\"x\"))", &["true", "false"]),
        (".none // .on", &["true"]),
        (".none, .on", &["null", "true"]),
        (".users | group_by(.age) | length", &["2"]),
        (
            ".list | index(1), (map(tostring) | join(\"-\"))",
            &["1", "3-1-2"],
        ),
        (".users | INDEX(.name) | .bob.age", &["25"]),
        (
            ".list | first, last, (.[] | select(IN(1, 2)))",
            &["3", "2", "1", "2"],
        ),
        (".a | [tostream] | length", &["3"]),
        (".memory as $m | $m + 1", &["401"]),
        (".users[0] as {name: $n} | $n", &["ann"]),
        ("def twice: . * 2; .memory | twice", &["800"]),
        (".|[range(3)] | map(select(. != 1))", &["[0,2]"]),
        (".|[limit(3; 1 | recurse(. * 2))]", &["[1,2,4]"]),
        (".|label $out | 1, break $out, 2", &["1"]),
        (
            ".|[.list[] | if . > 1 then \"b\" elif . == 1 then \"s\" else 0 end]",
            &[r#"["b","s","b"]"#],
        ),
        (".list | any(. > 2), all(. > 2)", &["true", "false"]),
        (".list | flatten | unique | reverse", &["[3,2,1]"]),
        (".|foreach .list[] as $x (0; . + $x)", &["3", "4", "6"]),
        (".|[.list[] as $x | $x] | transpose?", &[]),
        ("empty", &["null"]),
        (".|empty", &[]),
    ]);
}

#[test]
fn strings_regular_expressions_and_formats() {
    gives(&[
        (r#".|"\(.memory)M at \(.half)""#, &["400M at 0.5"]),
        (r#".url | test("^http")"#, &["true"]),
        (
            r#".url | capture("://(?<host>[^:/]+):(?<port>\\d+)") | .host, .port"#,
            &["db.example", "5432"],
        ),
        (r#".url | [match("[a-z]+"; "g").string] | length"#, &["4"]),
        (
            r#".url | sub("(?<p>\\d+)"; "<\(.p)>")"#,
            &["http://db.example:<5432>/shop"],
        ),
        (r#".url | gsub("/"; "_")"#, &["http:__db.example:5432_shop"]),
        (r#".url | split("/") | .[-1]"#, &["shop"]),
        (r#".url | [scan("[0-9]")] | join("")"#, &["5432"]),
        (
            r#".url | ltrimstr("http://") | startswith("db")"#,
            &["true"],
        ),
        (r".name | @sh", &[r"'O'\''Neil'"]),
        (r".list | @sh", &["3 1 2"]),
        (r".name | @base64", &["TydOZWls"]),
        (r".name | @base64 | @base64d", &["O'Neil"]),
        (r".name | @uri", &["O%27Neil"]),
        (r".name | @html", &["O&apos;Neil"]),
        (r".list | @json", &["[3,1,2]"]),
        (r".|[1, null, true] | @csv", &["1,,true"]),
        (r#".|["a\"b", 2] | @csv"#, &["\"a\"\"b\",2"]),
        (r#".|["a\tb", 2] | @tsv"#, &["a\\tb\t2"]),
        (r#".|@base64 "x\(.name)""#, &["xTydOZWls"]),
        (
            r".name | ascii_downcase, ascii_upcase, length",
            &["o'neil", "O'NEIL", "6"],
        ),
        (r".name | explode | implode", &["O'Neil"]),
        (r#".|"{\"x\":[1]}" | fromjson | .x[0]"#, &["1"]),
        (r#".|"12" | tonumber + 1"#, &["13"]),
        (r".memory | tostring | length", &["3"]),
        (r".list | tojson", &["[3,1,2]"]),
        (r".name | trimstr(7)?", &[]),
        (
            r".memory, .name, .list, .a, .none, .on | type",
            &["number", "string", "array", "object", "null", "boolean"],
        ),
    ]);
}

#[test]
fn numbers_read_as_jq_writes_them() {
    gives(&[
        ("memory / 2", &["200"]),
        (r#".|"-Xmx\(.memory / 2)M""#, &["-Xmx200M"]),
        (".memory / 2 | tostring", &["200"]),
        (".|[.memory / 2] | join(\"\")", &["200"]),
        (".|[.memory / 2] | tojson", &["[200]"]),
        (".memory * 1.5", &["600"]),
        (".memory / 3 | floor", &["133"]),
        (".list | add / length", &["2"]),
        (".half", &["0.5"]),
        (".big", &["12345678901234567"]),
        (".memory % 7", &["1"]),
        (".|pow(2; 10), (16 | sqrt)", &["1024", "4"]),
        (".|nan", &["null"]),
        (".|1e3", &["1e3"]),
        (".memory | . > 399 and . < 401", &["true"]),
        (".|@text \"\\(.memory / 2)\"", &["200"]),
        (".|@sh \"x \\(.memory / 2)\"", &["x 200"]),
        (".|{(\"k\\(.memory / 4)\"): 1}", &[r#"{"k100":1}"#]),
    ]);
}

#[test]
fn times_without_a_clock() {
    gives(&[
        (".when | fromdate", &["1425599507"]),
        (".|1425599507 | todate", &["2015-03-05T23:51:47Z"]),
        (".|1425599507 | strftime(\"%Y-%m-%d\")", &["2015-03-05"]),
        (".|1425599507 | gmtime | mktime", &["1425599507"]),
        (
            ".when | strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime",
            &["1425599507"],
        ),
        (".|now > 1425599507", &["true"]),
    ]);
}

#[test]
fn the_environment_is_there_and_files_and_further_inputs_are_not() {
    let (answers, _) = run(".|$ENV.PATH, env.PATH | type", RAW);
    assert_eq!(answers, ["string", "string"]);
    for filter in [
        "input",
        ".|input",
        ".|inputs",
        "import \"a\" as a; .",
        "include \"a\"; .",
        ".|input_filename",
    ] {
        let ended = run(filter, RAW).1;
        if filter == "input" {
            assert!(ended.is_ok(), "it is a key");
        } else {
            assert!(
                matches!(ended, Err(FilterError::Misfit(_))),
                "{filter}: {ended:?}"
            );
        }
    }
}

#[test]
fn values_are_printed_as_jq_prints_them() {
    let pretty = Style {
        strings: Strings::Raw,
        layout: Layout::Pretty,
    };
    let json = Style {
        strings: Strings::Json,
        layout: Layout::Compact,
    };
    assert_eq!(run(".a", pretty).0, ["{\n  \"b\": {\n    \"c\": 7\n  }\n}"]);
    assert_eq!(run("{}", pretty).0, ["{}"]);
    assert_eq!(run(".|[], [[]]", pretty).0, ["[]", "[\n  []\n]"]);
    assert_eq!(run("name", json).0, ["\"O'Neil\""]);
    assert_eq!(run(".|\"a\\tb\\u0001\"", json).0, [r#""a\tb\u0001""#]);
    assert_eq!(run(".|halt", RAW).1.unwrap(), Ended::Halted(0));
    assert_eq!(run(".memory, halt_error", RAW).0, ["400"]);
    assert_eq!(run(".memory, halt_error", RAW).1.unwrap(), Ended::Halted(5));
}

#[test]
fn a_filter_that_cannot_be_read_is_pointed_at() {
    let table = [
        (
            "memory |",
            "line 1, column 9: ends too early, expected a value or a filter\n  memory |\n          ^",
        ),
        (
            "memory | fooo",
            "line 1, column 10: there is no filter `fooo`\n  memory | fooo\n           ^",
        ),
        (
            ".a | map(.b",
            "line 1, column 9: this `(` is never closed\n  .a | map(.b\n          ^",
        ),
        (
            ".a |\n nosuch(1; 2)",
            "line 2, column 2: there is no filter `nosuch` with 2 arguments\n   nosuch(1; 2)\n   ^",
        ),
        (
            ".a | $x",
            "line 1, column 6: there is no variable `$x`\n  .a | $x\n       ^",
        ),
        ("a b", "line 1, column 3: expected the end\n  a b\n    ^"),
    ];
    for (filter, expected) in table {
        let error = run(filter, RAW).1.unwrap_err();
        let expected = format!("cannot read the filter: {expected}");
        assert_eq!(error.to_string(), expected, "{filter}");
    }
}

#[test]
fn no_error_holds_a_value_of_the_configuration() {
    let filters = [
        "secret.x",
        "secret[0]",
        "secret | tonumber",
        "secret + 1",
        "secret | keys",
        "secret | .[]",
        "secret | error",
        "secret | fromjson",
        "secret | fromdate",
        "secret | @base64d | error",
        "secret | strptime(\"%Y\")",
        "secret | implode",
        "secret | has(1)",
        "secret | test(1)",
        ".|error(.)",
        ".|{(.): 1}",
        ".|.[.secret].x.y.z[.secret]",
        "secret as $x | .memory | .[$x]",
        ".|test(.secret)",
        ".|1 | ltrimstr(1) | .[\"x\"]",
        ".|[.secret] | .[0] |= error",
        "secret | mktime",
        "secret | @csv",
        "secret | splits(1)",
        "secret | ascii",
        "secret | -.",
        "secret | path(1)",
        ".users | .[.secret]",
    ];
    for filter in filters {
        match run(filter, RAW).1 {
            Ok(_) => {}
            Err(error) => {
                let text = error.to_string();
                assert!(
                    !text.contains("hunter2") && !text.contains("bob"),
                    "{filter}: {text}"
                );
            }
        }
    }
    let said = |filter: &str| run(filter, RAW).1.unwrap_err().to_string();
    assert_eq!(
        said("memory.x"),
        "cannot apply the filter: a number has no `x`"
    );
    assert_eq!(
        said(".memory | keys"),
        "cannot apply the filter: a number cannot be used as iterable (array or object)"
    );
    assert_eq!(
        said(".|error(\"no memory set\")"),
        "cannot apply the filter: no memory set"
    );
}

#[test]
fn output_is_bounded() {
    for filter in [
        ".|repeat(1)",
        ".|repeat(.)",
        ".|[limit(2000000; repeat(\"abc\"))]",
        ".|\"x\" * 9000000",
    ] {
        assert!(
            matches!(run(filter, RAW).1, Err(FilterError::TooMuch)),
            "{filter}"
        );
    }
    let long = " ".repeat(MAX_FILTER + 1);
    assert!(matches!(run(&long, RAW).1, Err(FilterError::TooLong(_))));
}

#[test]
fn the_most_nested_filters_end() {
    let deep = |open: &str, middle: &str, close: &str| {
        let times = MAX_FILTER / (open.len() + close.len()).max(1) - middle.len();
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let filters = [
        deep("(", ".", ")"),
        deep("[", "1", "]"),
        deep("{a:", "1", "}"),
        deep("-", "1", ""),
        deep("try ", "1", ""),
        deep("1 as $x|", "1", ""),
        deep("if 1 then ", "1", " end"),
        deep(".|", ".", ""),
        deep("1+", "1", ""),
        deep("\"\\(", "1", ")\""),
        deep("(", "", ""),
        deep("[", "", ""),
        deep("def f:", "1", ";1"),
        deep("label $x|", "1", ""),
        deep("1,", "1", ""),
        deep(".a", "", ""),
        deep(".[0]", "", ""),
        deep(".[", "0", "]"),
        deep("reduce ", ".", " as $x(1;1)"),
        deep("1//", "1", ""),
        deep("1 and ", "1", ""),
        deep("f(", "1", ")"),
        deep("map(", ".", ")"),
        deep(". as [", "$x", "] | 1"),
        deep(".a|=", "1", ""),
        deep("\"", "", ""),
    ];
    for filter in filters {
        with_stack(move || drop(run(&filter, RAW)));
    }
}

/// What the fuzz target has found worth keeping, through the same check.
#[test]
fn the_corpus_of_filters_is_applied() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/filter");
    let mut count = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let held = with_stack(move || std::panic::catch_unwind(|| check::check(&input)).is_ok());
        assert!(held, "{} breaks a promise", path.display());
        count += 1;
    }
    assert!(count >= 10, "only {count} inputs");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_brings_the_reader_down(text in "\\PC{0,60}") {
        with_stack(move || drop(super::program::compile_as_the_original(&text)));
    }

    #[test]
    fn no_row_of_words_brings_the_reader_down(
        words in proptest::collection::vec(
            prop::sample::select(vec![
                ".", "..", "[", "]", "(", ")", "{", "}", "|", ",", ":", ";", "\"", "\\(", "as", "$x", "if",
                "then", "else", "end", "reduce", "foreach", "try", "catch", "def", "f", "?", "//", "=", "|=",
                "and", "or", "not", "label", "break", "@csv", "@x", "1", "1e", "-", "*", "%", "memory", "é", "::",
                "import", "include", "__loc__", "$__loc__", "?//", "#", "\n", "$", "@",
            ]),
            0..30,
        ),
        space in any::<bool>(),
    ) {
        let text = words.join(if space { " " } else { "" });
        with_stack(move || match super::program::compile_as_the_original(&text) {
            Ok(_) => {}
            Err(misfit) => assert!(misfit.to_string().len() < 2000),
        });
    }
}
