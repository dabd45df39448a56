//! Topics, tenants and namespaces, as far as functions need them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::name::part;
use super::{Admin, AdminError, Content};

/// What is going on at a topic, as far as it is asked for.
#[derive(Deserialize)]
struct Stats {
    #[serde(default)]
    subscriptions: BTreeMap<String, Subscription>,
}

#[derive(Deserialize)]
struct Subscription {
    #[serde(default)]
    consumers: Vec<IgnoredAny>,
}

impl Admin {
    /// Makes a topic, with partitions or without. One that is there already is left as it is: `false`.
    pub fn create_topic(&self, topic: &str, partitions: Option<u32>) -> Result<bool, AdminError> {
        let path = path_of(topic)?;
        let created = match partitions {
            None => self.call("PUT", &path, &Content::None),
            Some(count) => self.call("PUT", &format!("{path}/partitions"), &Content::Json(&count.to_string())),
        };
        match created {
            Err(error) if error.status() == Some(409) => Ok(false),
            result => result.map(|_| true),
        }
    }

    /// Deletes a topic with whoever uses it; `false` if there was none.
    pub fn delete_topic(&self, topic: &str) -> Result<bool, AdminError> {
        let path = path_of(topic)?;
        match self.delete(&format!("{path}?force=true")) {
            // A topic of partitions is not there by its own name, or is not to be deleted by it.
            Ok(true) => Ok(true),
            Ok(false) => self.delete(&format!("{path}/partitions?force=true")),
            Err(error) if error.status() == Some(409) => self.delete(&format!("{path}/partitions?force=true")),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody consumes from the topic: with any subscription, or with this one. A topic that is not there
    /// has nobody. A function that begins with the latest message gets nothing that was sent before this, which is some
    /// time after its status says that it runs.
    pub fn is_consumed(&self, topic: &str, subscription: Option<&str>) -> Result<bool, AdminError> {
        let path = path_of(topic)?;
        let stats = match self.find::<Stats>(&format!("{path}/stats"))? {
            None => self.find(&format!("{path}/partitioned-stats?perPartition=false"))?,
            found => found,
        };
        let wanted = |name: &str| subscription.is_none_or(|subscription| subscription == name);
        let subscriptions = stats.map(|stats| stats.subscriptions).unwrap_or_default();
        Ok(subscriptions.iter().any(|(name, subscription)| wanted(name) && !subscription.consumers.is_empty()))
    }

    /// Whether the tenant exists.
    pub fn tenant_exists(&self, tenant: &str) -> Result<bool, AdminError> {
        let tenant = part("tenant", tenant)?;
        Ok(self.find::<serde_json::Value>(&format!("/admin/v2/tenants/{tenant}"))?.is_some())
    }

    /// Whether the namespace exists.
    pub fn namespace_exists(&self, tenant: &str, namespace: &str) -> Result<bool, AdminError> {
        let (tenant, namespace) = (part("tenant", tenant)?, part("namespace", namespace)?);
        Ok(self.find::<serde_json::Value>(&format!("/admin/v2/namespaces/{tenant}/{namespace}"))?.is_some())
    }
}

/// `persistent://tenant/namespace/topic`, or short as Pulsar has it.
fn path_of(topic: &str) -> Result<String, AdminError> {
    let (domain, rest) = topic.split_once("://").unwrap_or(("persistent", topic));
    let rest = if rest.contains('/') { rest.to_owned() } else { format!("public/default/{rest}") };
    let parts: Vec<&str> = rest.split('/').collect();
    let clean = |part: &&str| !part.is_empty() && !part.bytes().all(|byte| byte == b'.');
    if parts.len() != 3 || !parts.iter().all(clean) || !matches!(domain, "persistent" | "non-persistent") {
        return Err(AdminError::Name { what: "name of a topic", name: topic.to_owned() });
    }
    Ok(format!("/admin/v2/{domain}/{}", parts.into_iter().map(encoded).collect::<Vec<_>>().join("/")))
}

/// Percent-encoding of what does not stand for itself in a path.
fn encoded(part: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_has_its_path() {
        for (topic, path) in [
            ("in", "/admin/v2/persistent/public/default/in"),
            ("t/n/in", "/admin/v2/persistent/t/n/in"),
            ("non-persistent://t/n/in", "/admin/v2/non-persistent/t/n/in"),
            ("persistent://t/n/a b?c%", "/admin/v2/persistent/t/n/a%20b%3Fc%25"),
        ] {
            assert_eq!(path_of(topic).unwrap(), path);
        }
        for topic in ["", "a/b", "t/n/..", "t//in", "http://t/n/in", "t/n/a/b"] {
            assert!(matches!(path_of(topic), Err(AdminError::Name { .. })), "{topic}");
        }
    }
}
