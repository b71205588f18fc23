use super::*;

fn parse(text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn host(name: &str, port: u16) -> Host {
    (name.to_owned(), port)
}

fn sentinel(hosts: Vec<Host>, name: &str) -> Service {
    Service::Sentinel { hosts, name: name.to_owned() }
}

#[test]
fn one_host_stands_alone_with_its_port_and_database() {
    let address = parse("redis://me:p%40ss@example.org:7000/3");
    assert_eq!(address.service, Service::Single(host("example.org", 7000)));
    assert_eq!((address.secure, address.database), (false, 3));
    let login = format!("{:?}", address.credentials);
    assert!(login.contains("me") && login.contains("***"), "{login}");
    let address = parse(" VALKEYS://[::1]\n");
    assert_eq!(address.service, Service::Single(host("::1", 6379)));
    assert_eq!((address.secure, address.database), (true, 0));
}

#[test]
fn sentinels_are_listed_with_the_name_they_know() {
    let address = parse("redis-sentinel://me:a,b%2Fc@one,10.0.0.2:7000,[::1]:5/my-primary.1/2");
    let hosts = vec![host("one", 26379), host("10.0.0.2", 7000), host("::1", 5)];
    assert_eq!(address.service, sentinel(hosts, "my-primary.1"));
    assert_eq!((address.secure, address.database), (false, 2));
    assert_eq!(format!("{:?}", address.credentials), format!("{:?}", parse("redis://me:x@h").credentials));
    for (text, secure) in [("rediss-sentinel://h/n", true), ("valkey-sentinel://h/n/", false)] {
        let address = parse(text);
        assert_eq!(address.service, sentinel(vec![host("h", 26379)], "n"), "{text}");
        assert_eq!((address.secure, address.database), (secure, 0), "{text}");
    }
}

#[test]
fn nodes_of_a_cluster_are_listed_without_a_database() {
    for (text, secure) in [
        ("redis-cluster://me:x@one,[::1]:7000", false),
        ("rediss-cluster://me:x@one,[::1]:7000/", true),
        ("valkey-cluster://me:x@one:6379,[::1]:7000/0", false),
    ] {
        let address = parse(text);
        let hosts = vec![host("one", 6379), host("::1", 7000)];
        assert_eq!(address.service, Service::Cluster { hosts }, "{text}");
        assert_eq!((address.secure, address.database), (secure, 0), "{text}");
        assert!(format!("{:?}", address.credentials).contains("me"), "{text}");
    }
    let error = Address::parse("redis-cluster://:secret@h/3").unwrap_err();
    assert!(matches!(error, EndpointError::ClusterDatabase), "{error:?}");
}

#[test]
fn what_is_wrong_is_told_by_its_kind_and_without_its_text() {
    type Such = fn(&EndpointError) -> bool;
    let form: Such = |error| matches!(error, EndpointError::Form);
    let first: Such = |error| matches!(error, EndpointError::Host(1));
    let second: Such = |error| matches!(error, EndpointError::Host(2));
    let name: Such = |error| matches!(error, EndpointError::Name);
    let port: Such = |error| matches!(error, EndpointError::Port(0));
    let options: Such = |error| matches!(error, EndpointError::Options);
    let database: Such = |error| matches!(error, EndpointError::Database(_));
    let hosts: Such = |error| matches!(error, EndpointError::Hosts);
    for (text, such) in [
        ("secret", form),
        ("redis-secret://h", form),
        ("http-sentinel://:secret@h/n", form),
        ("redis-sentinel-sentinel://:secret@h/n", form),
        ("redis-sentinel://:sec\0ret@h/n", form),
        ("redis-sentinel://:%ff@h/n", form),
        ("redis://:secret@", form),
        ("redis://:secret@h x", form),
        ("redis://:secret@h1,h2", hosts),
        ("redis-sentinel://", first),
        ("redis-sentinel://:secret@/n", first),
        ("redis-sentinel://:secret@:26379/n", first),
        ("redis-sentinel://:pass/secret@h/n", first),
        ("redis-sentinel://:secret@h,/n", second),
        ("redis-sentinel://:secret@h,,h/n", second),
        ("redis-sentinel://:secret@h, h/n", second),
        ("redis-sentinel://:secret@h,h:70000/n", second),
        ("redis-sentinel://:secret@h,::1/n", second),
        ("redis-sentinel://:secret@h,h:0/n", port),
        ("redis-sentinel://:secret@h,h", name),
        ("redis-sentinel://:secret@h/", name),
        ("redis-sentinel://:secret@h//2", name),
        ("redis-sentinel://:secret@h/a secret", name),
        ("redis-sentinel://pass/secret@h/n", name),
        ("redis-sentinel://:secret@h/n/16", database),
        ("redis-sentinel://:secret@h/n/secret", database),
        ("redis-sentinel://:secret@h/n/1/2", database),
        ("redis-cluster://pass/secret@h", database),
        ("redis-cluster://:secret@h,:7000", second),
        ("redis-cluster://:secret@h/?secret=1", options),
        ("redis-sentinel://:secret@h/n?secret=1", options),
        ("redis-sentinel://:secret@h/n#secret", options),
    ] {
        let Err(error) = Address::parse(text) else { panic!("{text} is taken") };
        assert!(such(&error), "{text}: {error:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains("address of Redis") && !said.contains("secret"), "{text}: {said}");
    }
}
