//! What variables of the environment say of the way to Redis.

use squall_client::Profile;

use super::Route;

/// What one variable says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutePart {
    /// Everything, as a URL.
    Url,
    /// The host.
    Host,
    /// The port.
    Port,
    /// The password.
    Password,
    /// The database.
    Database,
}

impl RoutePart {
    /// What the variable of that name says; `None` for one that says nothing of the route.
    pub fn of(variable: &str) -> Option<Self> {
        Some(match variable {
            "REDIS_URL" | "CHANNEL_REDIS_URL" => Self::Url,
            "REDIS_HOST" => Self::Host,
            "REDIS_PORT" => Self::Port,
            "REDIS_PASSWORD" => Self::Password,
            "REDIS_DB" => Self::Database,
            _ => return None,
        })
    }

    /// What stands for it in a scenario.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Url => "{url}",
            Self::Host => "{host}",
            Self::Port => "{port}",
            Self::Password => "{password}",
            Self::Database => "{database}",
        }
    }
}

impl Route {
    /// Variables of `profile` with what they must say of this route, to one server: password included, for the client under test
    /// alone. Those of a route in virtual time name a host and a port that nobody opens.
    pub fn variables(&self, profile: Profile) -> Vec<(&'static str, String)> {
        let credentials = self.credentials().clone();
        let (host, port, ca) = match self {
            Self::Tcp { host, port, ca, .. } => (host.clone(), *port, ca.clone()),
            Self::Streams { .. } | Self::Sentinel { .. } | Self::Cluster { .. } => {
                ("localhost".to_owned(), 6379, None)
            }
        };
        let value = |part| match part {
            RoutePart::Host => host.clone(),
            RoutePart::Port => port.to_string(),
            RoutePart::Password => credentials.password.clone().unwrap_or_default(),
            RoutePart::Database => credentials.database.to_string(),
            RoutePart::Url => {
                let (host, credentials, ca) = (host.clone(), credentials.clone(), ca.clone());
                Self::Tcp { host, port, credentials, ca }.url().unwrap_or_default()
            }
        };
        let named = |name: &'static str| RoutePart::of(name).map(|part| (name, value(part)));
        profile.variables().into_iter().filter_map(|variable| named(variable.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Credentials;
    use super::*;

    #[test]
    fn each_profile_has_the_whole_route_in_its_own_variables() {
        let credentials = Credentials { username: None, password: Some("p w".to_owned()), database: 3 };
        let route = Route::Tcp { host: "127.0.0.1".to_owned(), port: 7000, credentials, ca: None };
        let url = "redis://:p%20w@127.0.0.1:7000/3";
        for (profile, expected) in [
            (Profile::Chatbot, vec![("REDIS_URL", url)]),
            (Profile::CacheV4, vec![("REDIS_URL", url)]),
            (Profile::Websocket, vec![("CHANNEL_REDIS_URL", url)]),
            (
                Profile::Companion,
                vec![
                    ("REDIS_HOST", "127.0.0.1"),
                    ("REDIS_PORT", "7000"),
                    ("REDIS_PASSWORD", "p w"),
                    ("REDIS_DB", "3"),
                ],
            ),
        ] {
            let told = route.variables(profile);
            let told: Vec<_> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(told, expected, "{}", profile.name());
        }
        assert_eq!(route.variables(Profile::MultiWorker), route.variables(Profile::Companion));
    }
}
