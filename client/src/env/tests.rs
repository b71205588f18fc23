use super::*;

fn configured(profile: Profile, variables: &[(&str, &str)]) -> Result<Configured, EnvError> {
    let value_of =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    profile.configured(value_of, &TlsOptions::default())
}

fn error(profile: Profile, name: &str, value: &str) -> String {
    configured(profile, &[(name, value)])
        .map(|_| "accepted".to_owned())
        .unwrap_or_else(|error| error.to_string())
}

#[test]
fn without_variables_each_profile_has_its_own_figures() {
    for profile in Profile::ALL {
        for variables in [vec![], profile.variables()] {
            let empty: Vec<_> = variables.iter().map(|variable| (variable.name, "")).collect();
            let configured = configured(profile, &empty).unwrap();
            assert_eq!(configured.settings, profile.settings());
            assert_eq!(configured.session_ttl, Duration::from_secs(3600));
        }
    }
}

#[test]
fn the_origins_own_defaults_are_the_profiles_figures() {
    let told = configured(
        Profile::CacheV4,
        &[
            ("REDIS_URL", "redis://localhost:6379/0"),
            ("CACHE_SOCKET_CONNECT_TIMEOUT_MS", "2000"),
            ("CACHE_SOCKET_TIMEOUT_MS", "2000"),
            ("CACHE_HEALTH_CHECK_INTERVAL", "30"),
            ("CACHE_MAX_CONNECTIONS", "20"),
            ("CACHE_MAX_RETRIES", "2"),
            ("CACHE_RETRY_DELAY", "0.1"),
        ],
    );
    assert_eq!(told.unwrap().settings, Profile::CacheV4.settings());
    let told = configured(Profile::Companion, &[("REDIS_MAX_CONNECTIONS", "20")]);
    assert_eq!(told.unwrap().settings, Profile::Companion.settings());
}

#[test]
fn every_variable_changes_what_it_names() {
    let cache = [
        ("CACHE_SOCKET_CONNECT_TIMEOUT_MS", "1500"),
        ("CACHE_SOCKET_TIMEOUT_MS", "4000"),
        ("CACHE_HEALTH_CHECK_INTERVAL", "12.5"),
        ("CACHE_MAX_CONNECTIONS", "7"),
        ("CACHE_MAX_RETRIES", "0"),
        ("CACHE_RETRY_DELAY", "1"),
    ];
    let settings = configured(Profile::CacheV4, &cache).unwrap().settings;
    assert_eq!(settings.connect_timeout, Duration::from_millis(1500));
    assert_eq!(
        (settings.operation_timeout, settings.deadline),
        (Duration::from_secs(4), Duration::from_secs(4))
    );
    assert_eq!(settings.ping_after_idle, Duration::from_millis(12_500));
    assert_eq!((settings.pool.connections, settings.retry.retries), (7, 0));
    assert_eq!((settings.retry.base, settings.retry.cap), (Duration::from_secs(1), Duration::from_secs(1)));
    assert_eq!(settings.problems(), []);
    let ttl = configured(Profile::Websocket, &[("REDIS_SESSION_TTL", "60")]).unwrap().session_ttl;
    assert_eq!(ttl, Duration::from_secs(60));
    let parts =
        [("REDIS_DB", "3"), ("REDIS_PASSWORD", "p/w#"), ("REDIS_HOST", "::1"), ("REDIS_PORT", "7000")];
    let endpoint = configured(Profile::MultiWorker, &parts).unwrap().endpoint;
    assert_eq!(endpoint.database, 3);
    let url = configured(Profile::Websocket, &[("CHANNEL_REDIS_URL", "redis://:x@h/5")]).unwrap();
    assert_eq!(url.endpoint.database, 5);
}

#[test]
fn a_value_out_of_range_is_named_with_its_variable_and_range() {
    assert_eq!(
        error(Profile::Companion, "REDIS_PORT", "65536"),
        "REDIS_PORT is \"65536\"; it must be a whole number from 1 to 65535"
    );
    for (profile, name, value) in [
        (Profile::MultiWorker, "REDIS_PORT", "0"),
        (Profile::MultiWorker, "REDIS_PORT", "http"),
        (Profile::MultiWorker, "REDIS_DB", "16"),
        (Profile::MultiWorker, "REDIS_DB", "-1"),
        (Profile::Companion, "REDIS_MAX_CONNECTIONS", "0"),
        (Profile::Companion, "REDIS_MAX_CONNECTIONS", "2.5"),
        (Profile::CacheV4, "CACHE_SOCKET_TIMEOUT_MS", "-5"),
        (Profile::CacheV4, "CACHE_SOCKET_TIMEOUT_MS", "NaN"),
        (Profile::CacheV4, "CACHE_RETRY_DELAY", "1e999"),
        (Profile::CacheV4, "CACHE_MAX_RETRIES", "two"),
        (Profile::Websocket, "REDIS_SESSION_TTL", "0"),
    ] {
        let error = error(profile, name, value);
        assert!(error.starts_with(&format!("{name} is {value:?}; it must be a")), "{error}");
    }
}

#[test]
fn an_address_that_is_none_is_told_without_its_text() {
    for (name, profile) in [("REDIS_URL", Profile::CacheV4), ("CHANNEL_REDIS_URL", Profile::Websocket)] {
        let error = error(profile, name, "redis:/:secret@h");
        assert!(error.starts_with(&format!("{name}: the address of Redis")), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    for host in ["a b", " h", "h\n", "h/3", "user@h", "h?x", "h#x", "a%b"] {
        let error = error(Profile::Companion, "REDIS_HOST", host);
        assert_eq!(error, format!("REDIS_HOST is {host:?}; it must be a host name or an address"));
    }
    assert!(error(Profile::Companion, "REDIS_HOST", "h:7000").starts_with("REDIS_HOST: "));
}

#[test]
fn a_password_is_shown_nowhere() {
    let told = configured(Profile::MultiWorker, &[("REDIS_PASSWORD", "secret")]).unwrap();
    assert!(!format!("{told:?}").contains("secret"));
}

#[test]
fn every_profile_encrypts_with_the_keys_of_the_environment_and_shows_none() {
    const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let keys = format!("2:{KEY}");
    for profile in Profile::ALL {
        assert!(configured(profile, &[]).unwrap().seal.is_none());
        let told = configured(profile, &[("SESSION_ENCRYPTION_KEYS", &keys)]).unwrap();
        assert!(told.environment(1).seal.is_some());
        assert_eq!(format!("{:?}", told.seal), "Some(Seal { keys: [2], plain: false, .. })");
        let plain = ("SESSION_ENCRYPTION_READ_PLAIN", "true");
        let told = configured(profile, &[("SESSION_ENCRYPTION_KEYS", &keys), plain]).unwrap();
        assert_eq!(format!("{:?}", told.seal), "Some(Seal { keys: [2], plain: true, .. })");
        let error = error(profile, plain.0, plain.1);
        assert!(
            error.starts_with("SESSION_ENCRYPTION_KEYS: ") && error.contains("no encryption keys"),
            "{error}"
        );
    }
    let told = error(Profile::Websocket, "SESSION_ENCRYPTION_KEYS", &format!("1:{}", &KEY[4..]));
    assert!(told.starts_with("SESSION_ENCRYPTION_KEYS: encryption key 1 in the list is no base64"), "{told}");
    assert!(!told.contains("AQEB"), "{told}");
    assert_eq!(
        error(Profile::Websocket, "SESSION_ENCRYPTION_READ_PLAIN", "yes"),
        "SESSION_ENCRYPTION_READ_PLAIN is \"yes\"; it must be true or false"
    );
    assert!(!error(Profile::Websocket, "SESSION_ENCRYPTION_READ_PLAIN", &keys).contains("AQEB"));
}

#[test]
fn the_guide_names_every_variable_of_every_profile() {
    let guide = include_str!("../../../docs/client.md");
    for profile in Profile::ALL {
        for variable in profile.variables() {
            let row = guide.lines().find(|line| {
                line.starts_with('|')
                    && line.contains(&format!("`{}`", profile.name()))
                    && line.contains(&format!("`{}`", variable.name))
            });
            assert!(row.is_some(), "{} of {}", variable.name, profile.name());
        }
    }
}
