//! Expectations of what instances tell.

use super::{VALID, told};

#[test]
fn an_expectation_of_what_is_told_that_makes_no_sense_is_told() {
    let told_by =
        "[[expect.told]]\nof = \"metrix\"\nline = \"*x*\"\n[[expect.told]]\nof = \"log\"\nnevr = true\n";
    insta::assert_snapshot!(told(format!("{VALID}{told_by}").as_bytes()), @r###"
    error: expect.told[0].of: unknown value "metrix"
      --> breaker/x.toml:27:6
       |
    27 | of = "metrix"
       |      ^^^^^^^^ did you mean "metrics"?

    error: expect.told[1].line: the key is missing
      --> breaker/x.toml:29:1
       |
    29 | [[expect.told]]
       | ^^^^^^^^^^^^^^^ add `line`

    error: expect.told[1].nevr: unknown key "nevr"
      --> breaker/x.toml:31:1
       |
    31 | nevr = true
       | ^^^^ did you mean "never"?
    "###);
    let told_by = "[[expect.told]]\nof = \"log\"\nline = \"\"\nduring = \"outtage\"\non = \"instance-2\"\n[[expect.told]]\nof = \"health\"\nline = \"**\"\n";
    insta::assert_snapshot!(told(format!("{VALID}{told_by}").as_bytes()), @r###"
    error: expect.told[0].line: it is missing or empty
      --> breaker/x.toml:28:8
       |
    28 | line = ""
       |        ^^ write a part of the line between asterisks, such as "*circuit_open_total*"

    error: expect.told[0].during: unknown phase "outtage"
      --> breaker/x.toml:29:10
       |
    29 | during = "outtage"
       |          ^^^^^^^^^ did you mean "outage"?

    error: expect.told[0].on: unknown instance "instance-2"
      --> breaker/x.toml:30:6
       |
    30 | on = "instance-2"
       |      ^^^^^^^^^^^^ the load has instance-0 to instance-1

    error: expect.told[1].line: every line fits it
      --> breaker/x.toml:33:8
       |
    33 | line = "**"
       |        ^^^^ write a part of the line between asterisks, such as "*circuit_open_total*"
    "###);
    let single = told(format!("{VALID}[expect.told]\nof = \"log\"\nline = \"*x*\"\n").as_bytes());
    assert!(single.contains("expect.told"), "{single}");
}
