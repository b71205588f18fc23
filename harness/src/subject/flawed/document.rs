//! `docs/flaws.md`, from the flaws themselves.

use super::{Described, Flaw};

const HEAD: &str = "# Planted flaws

Clients that are wrong on purpose: the reference client with one flaw each. A check that lets one of them pass has a hole. Most are bugs that real
clients had; the column *known from* names them. The flaws sit outside the client, in `harness/src/subject/flawed/`;
[how-to-add.md](how-to-add.md) says how another one is planted. Those whose check is an expectation tell operators what is not so; `expect.told[1]` is the second
`[[expect.told]]` of the scenario in the last column. `client.encrypted` is judged where the scenario asks for it.

```sh
squall run scenarios/ttl/kept-on-update.toml --flaw drops-every-fifth-update
```

`cargo test -p squall --test flaws` runs each of them in the scenario that the last column names, and demands that the check named beside it fails. Others may
fail as well. One that needs several servers is run by `cargo test -p squall --test local_world several_servers`. This page is made from the code: `SQUALL_UPDATE=1 cargo test -p squall --test flaws` writes it anew.

| flaw | check | what is wrong | known from | shows with | shown in |
| --- | --- | --- | --- | --- | --- |
";

/// The text of `docs/flaws.md`.
pub fn document() -> String {
    let row = |flaw: &Flaw| {
        let Described { name, check, wrong, known_from, needs, shown_in, .. } = flaw.0;
        let needs = if needs.is_empty() { "any load" } else { needs };
        format!("| `{name}` | {check} | {wrong} | {known_from} | {needs} | `{shown_in}` |\n")
    };
    let rows: String = Flaw::every().map(row).collect();
    format!("{HEAD}{rows}")
}
