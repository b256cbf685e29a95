use proptest::prelude::*;

use super::*;

fn evaluated(text: &str) -> BTreeMap<String, Value> {
    let mut variables = BTreeMap::new();
    Assignments::parse(text).evaluate(&mut variables);
    variables
}

fn value(text: &str, name: &str) -> Value {
    evaluated(text).remove(name).unwrap_or_default()
}

fn certain(text: &str) -> Value {
    Value {
        text: text.to_owned(),
        certain: true,
    }
}

#[test]
fn quotes_and_backslashes_are_taken_as_a_shell_takes_them() {
    assert_eq!(value(r#"A="quiet  splash""#, "A"), certain("quiet  splash"));
    assert_eq!(value(r"A='a $B \x'", "A"), certain(r"a $B \x"));
    assert_eq!(value(r#"A="a\"b\$c\d""#, "A"), certain(r#"a"b$c\d"#));
    assert_eq!(value("A=one\\\ntwo", "A"), certain("onetwo"));
    assert_eq!(value("A=\"one \\\n  two\"", "A"), certain("one   two"));
    assert_eq!(value("A=a'b'\"c\"\\ d", "A"), certain("abc d"));
    assert_eq!(value("A=", "A"), certain(""));
}

#[test]
fn a_comment_sets_nothing_and_the_last_assignment_holds() {
    let text = "#A=\"one\"\nA=\"two\" # three\n  A=four\n# A=five";
    assert_eq!(value(text, "A"), certain("four"));
    let lines: Vec<_> = Assignments::parse(text)
        .assignments
        .iter()
        .map(|assignment| assignment.line)
        .collect();
    assert_eq!(lines, [2, 3]);
}

#[test]
fn a_value_that_appends_to_itself_has_both_parts() {
    let text = "A=\"quiet\"\nA=\"${A} intel_iommu=on\"\nA=\"$A iommu=pt\"";
    assert_eq!(value(text, "A"), certain("quiet intel_iommu=on iommu=pt"));
}

#[test]
fn what_only_a_shell_can_say_is_not_certain() {
    let value = value("A=`lsb_release -i -s 2> /dev/null || echo Debian`", "A");
    assert!(!value.certain);
    assert!(value.text.contains("lsb_release"));
    assert!(!self::value("A=$(echo a; echo \"b\")", "A").certain);
    assert!(!self::value("if true; then\n A=1\nfi", "A").certain);
    assert!(!self::value("A=1 command", "A").certain);
    assert!(self::value("if true; then\n :\nfi\nA=1", "A").certain);
}

#[test]
fn the_span_is_the_value_with_its_quotes() {
    let text = "X=1\nA=\"a b\" # c";
    let parsed = Assignments::parse(text);
    assert_eq!(&text[parsed.assignments[1].span.clone()], "\"a b\"");
}

#[test]
fn a_quote_that_is_never_closed_is_named_by_its_line() {
    assert_eq!(
        Assignments::parse("A=1\nB=\"quiet\nC=2").open_quote,
        Some(2)
    );
}

#[test]
fn a_value_that_doubles_itself_does_not_grow_without_end() {
    let text = "A=0123456789\n".to_owned() + &"A=$A$A\n".repeat(64);
    assert!(value(&text, "A").text.len() <= 2 * LONGEST);
}

proptest! {
    #[test]
    fn any_text_is_read_and_spans_lie_inside_it(text in "(?s).{0,200}") {
        for assignment in Assignments::parse(&text).assignments {
            prop_assert!(text.get(assignment.span).is_some());
        }
    }

    #[test]
    fn anything_like_a_script_is_read(text in "[A-C=\"'\\\\$`(){}; \n#&|]{0,80}") {
        let mut variables = BTreeMap::new();
        Assignments::parse(&text).evaluate(&mut variables);
    }
}
