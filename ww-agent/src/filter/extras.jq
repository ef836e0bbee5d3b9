# What jq has and the library lacks, or says differently.

def env: $ENV;

def from_entries: reduce .[] as $x ({};
    . + { ($x | if .key == null then .k // .name // .Name // .K // .Key else .key end | tostring):
          ($x | if has("value") then .value elif has("v") then .v else .Value end) });
def with_entries(f): to_entries | map(f) | from_entries;

def toarray: if isarray then . else [.] end;
def trimstr($s): ltrimstr($s) | rtrimstr($s);
def leaf_paths: paths(scalars);
def isvalid(f): try (f | true) catch false;
def ascii: [.] | implode;
def tostream: path(def r: (.[]? | r), .; r) as $p | getpath($p)
    | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] |= $row);
def INDEX(f): INDEX(.[]; f);
def date: todate;
def dateadd(u; n): . + n;
def datesub(u; n): . - n;

def @csv: map(
    if isstring then "\"" + (split("\"") | join("\"\"")) + "\""
    elif . == null then ""
    elif isarray or isobject then error("only plain values can stand in a row of @csv")
    else tostring end) | join(",");
def @tsv: map(
    if isstring then
        split("\\") | join("\\\\") | split("\t") | join("\\t")
        | split("\n") | join("\\n") | split("\r") | join("\\r")
    elif . == null then ""
    elif isarray or isobject then error("only plain values can stand in a row of @tsv")
    else tostring end) | join("\t");
