//! Answers with which a server refuses, as errors with advice.

use zerver_s3_connect::Refusal;

use crate::bucket::bucket_url::BucketUrl;
use crate::fleet_error::FleetError;

/// Returns the error for a refused request.
pub(super) fn refused(url: &BucketUrl, status: u16, refusal: &Refusal) -> FleetError {
    let bucket = url.connection.bucket();
    let reason = match (refusal.code.as_str(), refusal.message.as_str()) {
        ("", _) => format!("the server answered {status}"),
        (code, "") => format!("{status} {code}"),
        (code, message) => format!("{status} {code}: {message}"),
    };
    match refusal.code.as_str() {
        "NoSuchBucket" => FleetError::lasting(
            format!("there is no bucket {}", bucket.name()),
            "create the bucket first; zerver creates none",
        ),
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "NotSignedUp" | "InvalidToken" | "ExpiredToken" => {
            FleetError::lasting(
                reason,
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
            )
        }
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            let hint = format!("the region is {}: name that of the bucket, ?region=..", bucket.region());
            FleetError::lasting(reason, hint)
        }
        "RequestTimeTooSkewed" => FleetError::lasting(reason, "set the clock of this machine"),
        _ if status == 401 || status == 403 => {
            let hint = match url.connection.has_credentials() {
                true => {
                    "readers need s3:ListBucket and s3:GetObject, services s3:PutObject too, and compaction \
                     s3:DeleteObject"
                }
                false => "there is no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            };
            FleetError::lasting(reason, hint)
        }
        _ if status == 301 || status == 307 => FleetError::lasting(
            reason,
            "name the endpoint and the region of the bucket: ?endpoint=..&region=..",
        ),
        _ => FleetError::passing(reason),
    }
}
