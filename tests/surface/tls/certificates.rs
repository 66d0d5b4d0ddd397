//! Certificates of authorities, servers and clients, made for the tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

/// The host that the servers' certificates name; it is not their address.
pub(crate) const NAME: &str = "db.example";

/// The user that the client's certificate names.
pub(crate) const USER: &str = "by_certificate";

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// What a server needs to present and to verify, and what its clients need.
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) other_authority: String,
    pub(crate) server: Pair,
    pub(crate) client: Pair,
}

/// A server's certificate, issued by an authority as usual.
pub(crate) fn of_an_authority() -> Certificates {
    let authority = authority("an authority");
    let mut client = CertificateParams::new(Vec::new()).unwrap();
    client.distinguished_name.push(DnType::CommonName, USER);
    Certificates {
        authority: authority.pem(),
        other_authority: self::authority("another authority").pem(),
        server: issue(
            &CertificateParams::new([NAME.to_owned()]).unwrap(),
            &authority,
        ),
        client: issue(&client, &authority),
    }
}

/// A server's certificate that is signed by itself and marked as an authority, as `openssl req
/// -x509` makes them; and an expired one.
pub(crate) fn of_their_own() -> (Certificates, Certificates) {
    let of_its_own = |expired: bool| {
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        if expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let server = Pair {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        };
        Certificates {
            server,
            ..of_an_authority()
        }
    };
    (of_its_own(false), of_its_own(true))
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(params: &CertificateParams, authority: &CertifiedIssuer<'_, KeyPair>) -> Pair {
    let key = KeyPair::generate().unwrap();
    Pair {
        certificate: params.signed_by(&key, authority).unwrap().pem(),
        key: key.serialize_pem(),
    }
}
