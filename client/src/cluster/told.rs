//! What a node of a cluster says of who holds a slot.

use redis::{FromRedisValue as _, Value};

use crate::address::Host;
use crate::error::CallError;

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Who holds the slot.
    pub(super) holder: Host,
    /// When that was decided: what was decided later has a higher number. 0 if this user may not know.
    pub(super) epoch: u64,
    /// The node that was asked is the one that holds it.
    pub(super) by_itself: bool,
    /// Who else there is.
    pub(super) nodes: Vec<Host>,
}

/// A node that serves slots, as `CLUSTER SLOTS` has it.
#[derive(Clone)]
struct Node {
    address: Host,
    id: String,
}

/// Of all answers the one that was decided last. If several were, the one of the holder itself, or else what most say.
pub(super) fn latest(all: Vec<Told>) -> Option<Told> {
    let votes = |told: &Told| all.iter().filter(|other| other.holder == told.holder).count();
    all.iter().max_by_key(|told| (told.epoch, told.by_itself, votes(told))).cloned()
}

/// Reads the replies to `CLUSTER KEYSLOT`, `CLUSTER SLOTS` and `CLUSTER NODES` of the node at `asked`.
pub(super) fn told(asked: &Host, replies: Vec<Value>) -> Result<Told, CallError> {
    let [slot, slots, nodes] = <[Value; 3]>::try_from(replies).map_err(|_| no_cluster())?;
    let slot = match slot.extract_error().map_err(|error| CallError::from(&error)) {
        Ok(Value::Int(slot)) => slot,
        Err(error @ (CallError::Auth(_) | CallError::NotNow(_))) => return Err(error),
        Ok(_) | Err(_) => return Err(no_cluster()),
    };
    let slots = slots.extract_error().map_err(|error| CallError::from(&error))?;
    let slots = Vec::<Vec<Value>>::from_redis_value(slots).map_err(|_| no_cluster())?;
    // A user who may not ask for this must do without.
    let nodes =
        nodes.extract_error().and_then(|text| Ok(String::from_redis_value(text)?)).unwrap_or_default();
    let (mut holder, mut others) = (None, Vec::new());
    for range in &slots {
        let [Value::Int(first), Value::Int(last), primary, replicas @ ..] = &range[..] else { continue };
        let primary = Node::read(primary, &asked.0);
        let replicas = replicas.iter().filter_map(|node| Node::read(node, &asked.0));
        others.extend(replicas.chain(primary.clone()).map(|node| node.address));
        if (*first..=*last).contains(&slot) {
            holder = primary;
        }
    }
    // What Redis itself answers where nobody holds a slot.
    let holder = holder.ok_or_else(|| CallError::NotNow("CLUSTERDOWN".to_owned()))?;
    others.sort();
    others.dedup();
    let (epoch, by_itself) = line_of(&nodes, &holder.id).unwrap_or((0, holder.address == *asked));
    Ok(Told { holder: holder.address, epoch, by_itself, nodes: others })
}

impl Node {
    /// A node without a name, and one that does not know its address, are where the one is that was asked. One that should have
    /// a name and has none is where its address says.
    fn read(node: &Value, asked: &str) -> Option<Self> {
        let Value::Array(parts) = node else { return None };
        let [host, Value::Int(port), id, more @ ..] = &parts[..] else { return None };
        let host = if *host == Value::Nil { String::new() } else { text(host)? };
        let host = if host == "?" { ip(more)? } else { host };
        let host = if host.is_empty() { asked.to_owned() } else { host };
        let port = u16::try_from(*port).ok().filter(|port| *port != 0)?;
        Some(Self { address: (host, port), id: text(id)? })
    }
}

/// The address among what else a node says of itself, which is in pairs.
fn ip(more: &[Value]) -> Option<String> {
    let Value::Array(pairs) = more.first()? else { return None };
    let pair = pairs.chunks(2).find(|pair| text(&pair[0]).as_deref() == Some("ip"))?;
    text(pair.get(1)?).filter(|ip| ip != "?")
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

/// The configuration epoch of the node of this id, and whether it is the one that was asked, as `CLUSTER NODES` has them:
/// `id address flags primary ping pong epoch link slots`.
fn line_of(nodes: &str, id: &str) -> Option<(u64, bool)> {
    let fields = nodes.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let fields = fields.into_iter().find(|fields| fields.first() == Some(&id))?;
    let itself = fields.get(2)?.split(',').any(|flag| flag == "myself");
    Some((fields.get(6)?.parse().ok()?, itself))
}

fn no_cluster() -> CallError {
    CallError::Refused("it is no node of a cluster".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: &str = "*2\r\n\
        *4\r\n:0\r\n:99\r\n*3\r\n$1\r\na\r\n:1\r\n$2\r\nA1\r\n*3\r\n$1\r\nb\r\n:2\r\n$2\r\nB2\r\n\
        *3\r\n:100\r\n:16383\r\n*4\r\n$-1\r\n:3\r\n$2\r\nC3\r\n*0\r\n";
    const NODES: &str = "A1 a:1@11 master - 0 0 7 connected 0-99\nB2 b:2@12 slave A1 0 0 7 connected\n\
        C3 :3@13 myself,master - 0 0 9 connected 100-16383\n";

    fn reply(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).unwrap()
    }

    fn says(slot: &str) -> Result<Told, CallError> {
        let nodes = reply(&format!("${}\r\n{NODES}\r\n", NODES.len()));
        told(&("seed".to_owned(), 3), vec![reply(slot), reply(SLOTS), nodes])
    }

    #[test]
    fn a_node_names_the_holder_and_when_that_was_decided() {
        let told = says(":99\r\n").unwrap();
        assert_eq!((told.holder, told.epoch, told.by_itself), (("a".to_owned(), 1), 7, false));
        let all = [("a", 1), ("b", 2), ("seed", 3)].map(|(host, port)| (host.to_owned(), port));
        assert_eq!(told.nodes, all);
        // It does not say by what name it is known.
        let told = says(":100\r\n").unwrap();
        assert_eq!((told.holder, told.epoch, told.by_itself), (("seed".to_owned(), 3), 9, true));
    }

    /// What a node says of whom a range of all slots names: the primary, and its replicas.
    fn of(nodes: &[&str]) -> Result<Told, CallError> {
        let slots = format!("*1\r\n*{}\r\n:0\r\n:16383\r\n{}", nodes.len() + 2, nodes.concat());
        let asked = ("seed".to_owned(), 3);
        told(&asked, vec![reply(":5\r\n"), reply(&slots), reply("-NOPERM no\r\n")])
    }

    #[test]
    fn a_node_without_a_name_is_where_its_address_says() {
        let named = |host: &str, more: &str| format!("*4\r\n{host}\r\n:7\r\n$2\r\nA1\r\n{more}");
        let at = |host: &str, more: &str| of(&[&named(host, more)]).map(|told| told.holder);
        let nobody = Err(CallError::NotNow("CLUSTERDOWN".to_owned()));
        let ip = "*4\r\n$8\r\nhostname\r\n$1\r\nh\r\n$2\r\nip\r\n$8\r\n10.0.0.7\r\n";
        assert_eq!(at("$1\r\n?", ip), Ok(("10.0.0.7".to_owned(), 7)));
        assert_eq!(at("$1\r\n?", "*0\r\n"), nobody);
        assert_eq!(at("$1\r\n?", "*2\r\n$2\r\nip\r\n$1\r\n?\r\n"), nobody);
        // Neither the name nor the address is said: it is the one that was asked.
        for unsaid in ["$-1", "$0\r\n"] {
            assert_eq!(at(unsaid, ip), Ok(("seed".to_owned(), 7)));
        }
        assert_eq!(at("$1\r\na", ip), Ok(("a".to_owned(), 7)));
    }

    #[test]
    fn a_primary_that_cannot_be_reached_makes_no_replica_the_holder() {
        let replica = "*3\r\n$1\r\nb\r\n:2\r\n$2\r\nB2\r\n";
        for primary in ["*3\r\n$1\r\na\r\n:0\r\n$2\r\nA1\r\n", "*3\r\n$1\r\n?\r\n:1\r\n$2\r\nA1\r\n"] {
            assert_eq!(of(&[primary, replica]), Err(CallError::NotNow("CLUSTERDOWN".to_owned())));
        }
        let primary = "*3\r\n$1\r\na\r\n:1\r\n$2\r\nA1\r\n";
        assert_eq!(of(&[primary, replica]).map(|told| told.holder), Ok(("a".to_owned(), 1)));
    }

    #[test]
    fn what_a_user_may_not_ask_is_done_without() {
        let asked = ("a".to_owned(), 1);
        let nodes = reply("-NOPERM no\r\n");
        let told = told(&asked, vec![reply(":5\r\n"), reply(SLOTS), nodes]).unwrap();
        assert_eq!((told.holder, told.epoch, told.by_itself), (asked, 0, true));
    }

    #[test]
    fn a_node_without_an_answer_says_what_is_wrong() {
        let off = "-ERR This instance has cluster support disabled\r\n";
        let asked = ("a".to_owned(), 1);
        assert_eq!(told(&asked, [off; 3].map(reply).to_vec()), Err(no_cluster()));
        assert_eq!(says("-NOPERM no\r\n"), Err(CallError::Auth("NOPERM".to_owned())));
        let nobody = told(&asked, [":5\r\n", "*0\r\n", "$0\r\n\r\n"].map(reply).to_vec());
        assert_eq!(nobody, Err(CallError::NotNow("CLUSTERDOWN".to_owned())));
    }

    #[test]
    fn what_was_decided_last_counts_whoever_says_so() {
        let said = |holder: &str, epoch, by_itself| Told {
            holder: (holder.to_owned(), 1),
            epoch,
            by_itself,
            nodes: Vec::new(),
        };
        let of = |all: Vec<Told>| latest(all).unwrap().holder.0;
        // A primary that was cut off still takes itself for the one.
        assert_eq!(of(vec![said("old", 3, true), said("old", 3, false), said("new", 4, false)]), "new");
        // Without the number, the holder's own word counts, then what most say.
        assert_eq!(of(vec![said("a", 0, false), said("b", 0, true), said("a", 0, false)]), "b");
        assert_eq!(of(vec![said("b", 0, false), said("a", 0, false), said("a", 0, false)]), "a");
        assert_eq!(latest(Vec::new()), None);
    }
}
