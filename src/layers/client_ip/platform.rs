//! The header in which a platform names its client.

use http::{HeaderMap, HeaderName};

use super::{
    entry::{Node, address, address_with_port},
    forwarded::Hop,
    list::{X_FORWARDED_PROTO, agreed},
};

/// A platform that names its client in a header of its own, which it overwrites.
///
/// **Only behind that platform.** Who reaches the service past it writes whatever he likes into that header. Either nobody can
/// (a firewall, a tunnel, a private network), or [`proxies`](super::ClientIpBuilder::proxies) names the platform's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    pub(super) header: HeaderName,
    has_port: bool,
    proto: HeaderName,
}

impl Platform {
    const fn named(header: HeaderName) -> Self {
        Self { header, has_port: false, proto: X_FORWARDED_PROTO }
    }

    /// Cloudflare's `CF-Connecting-IP`.
    #[must_use]
    pub const fn cloudflare() -> Self {
        Self::named(HeaderName::from_static("cf-connecting-ip"))
    }

    /// `CloudFront-Viewer-Address` of Amazon's, and `CloudFront-Forwarded-Proto` for the scheme: its origin request policy
    /// must switch both on. `X-Forwarded-Proto` is not read, for a load balancer behind it would speak of `CloudFront` itself.
    #[must_use]
    pub const fn cloudfront() -> Self {
        Self {
            header: HeaderName::from_static("cloudfront-viewer-address"),
            has_port: true,
            proto: HeaderName::from_static("cloudfront-forwarded-proto"),
        }
    }

    /// `Fly-Client-IP` of Fly.io. The rightmost of its `X-Forwarded-For` is the application's own address.
    #[must_use]
    pub const fn fly() -> Self {
        Self::named(HeaderName::from_static("fly-client-ip"))
    }

    /// `True-Client-IP` of Akamai, and of Cloudflare's Enterprise plan.
    #[must_use]
    pub const fn akamai() -> Self {
        Self::named(HeaderName::from_static("true-client-ip"))
    }

    /// `X-Azure-SocketIP` of Azure Front Door. Its `X-Azure-ClientIP` is what a client may say of himself.
    #[must_use]
    pub const fn azure_front_door() -> Self {
        Self::named(HeaderName::from_static("x-azure-socketip"))
    }

    /// `DO-Connecting-IP` of Digital Ocean's App Platform.
    #[must_use]
    pub const fn digital_ocean() -> Self {
        Self::named(HeaderName::from_static("do-connecting-ip"))
    }

    /// `X-Envoy-External-Address` of Envoy and Istio.
    #[must_use]
    pub const fn envoy() -> Self {
        Self::named(HeaderName::from_static("x-envoy-external-address"))
    }

    /// `X-Real-IP` of an nginx that is told to: `proxy_set_header X-Real-IP $remote_addr`. Without that line a client's own
    /// goes through.
    #[must_use]
    pub const fn nginx() -> Self {
        Self::named(HeaderName::from_static("x-real-ip"))
    }

    /// Any header that holds one address and that the proxy in front overwrites, always, as it must `X-Forwarded-Proto`.
    #[must_use]
    pub const fn custom(header: HeaderName) -> Self {
        Self::named(header)
    }

    /// The one address that it names: a header that comes twice was written by two.
    pub(super) fn hop<'a>(&self, headers: &'a HeaderMap) -> Option<Hop<'a>> {
        let mut lines = headers.get_all(&self.header).iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        let text = std::str::from_utf8(line.as_bytes().trim_ascii()).ok()?;
        let addr = if self.has_port { address_with_port(text) } else { address(text) };
        let proto = agreed(headers, &self.proto, 1).map(Into::into);
        addr.map(|addr| Hop { proto, ..Hop::of(Node::Addr(addr)) })
    }
}
