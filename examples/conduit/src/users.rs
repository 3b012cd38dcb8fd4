//! Registration, login, and the current user.

use serde_json::json;
use zerver::effects::sql;
use zerver::prelude::*;

use crate::auth::{Token, Viewer};
use crate::passwords::{Password, PasswordHash, hash_password, is_password};
use crate::validation::{NAME, PASSWORD, TEXT, optional_text, taken, text};

/// A user, as they see themselves.
#[slot]
#[derive(Debug, Clone, PartialEq, sql::Row)]
pub struct User {
    pub id: i64,
    pub email: String,
    pub username: String,
    pub bio: Option<String>,
    pub image: Option<String>,
}

/// A user who registers.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct NewUser {
    username: String,
    email: String,
}

/// Address of a user who signs in.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Email(String);

/// A user with the hash of their password.
#[slot(secret)]
#[derive(Debug, Clone, PartialEq, sql::Row)]
pub struct Account {
    #[row(flatten)]
    user: User,
    #[row(flatten)]
    hash: PasswordHash,
}

/// Changes of a user, apart from the password. What is `None` stays as it is.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct UserChanges {
    email: Option<String>,
    username: Option<String>,
    bio: Option<Option<String>>,
    image: Option<Option<String>>,
}

#[step]
pub fn parse_registration(request: &Request) -> Result<(NewUser, Password), Failure> {
    let mut user = request.json_object("user")?;
    let new = NewUser { username: text(&mut user, "username", NAME), email: text(&mut user, "email", NAME) };
    let password = Password(text(&mut user, "password", PASSWORD));
    user.finish((new, password))
}

#[step]
pub fn insert(new: &NewUser, hash: &PasswordHash) -> Decision<User> {
    let insert = sql::query(
        "insert into users (username, email, password_hash) values ($1, $2, $3) returning id, email, username, bio, image",
    );
    let insert =
        insert.bind(&new.username).bind(&new.email).bind_secret(&hash.password_hash).named("user_insert");
    Need(insert.one().map_failure(taken))
}

#[step]
pub fn parse_login(request: &Request) -> Result<(Email, Password), Failure> {
    let mut user = request.json_object("user")?;
    let login = (Email(text(&mut user, "email", NAME)), Password(text(&mut user, "password", PASSWORD)));
    user.finish(login)
}

#[step]
pub fn find_account(email: &Email) -> Decision<Option<Account>> {
    let query =
        sql::query("select id, email, username, bio, image, password_hash from users where email = $1");
    Need(query.bind(&email.0).named("account_by_email").optional())
}

#[step]
pub fn check_password(account: Option<&Account>, password: &Password) -> Decision<User> {
    let invalid = || Failure::unauthorized("credentials").message("invalid");
    let Some(Account { user, hash }) = account.cloned() else {
        // Takes as long as for a known address, so that the time does not tell which addresses are known.
        return Need(hash_password(&password.0).try_map(move |_| Err(invalid())));
    };
    Need(is_password(&password.0, &hash.password_hash).try_map(move |is_right| match is_right {
        true => Ok(user),
        false => Err(invalid()),
    }))
}

#[step]
pub fn load(viewer: &Viewer) -> Decision<User> {
    let query = sql::query("select id, email, username, bio, image from users where id = $1");
    Need(query.bind(viewer.id).named("user_by_id").optional().or_not_found("user", viewer.id))
}

#[step]
pub fn parse_changes(request: &Request) -> Result<(UserChanges, Option<Password>), Failure> {
    let mut user = request.json_object("user")?;
    let changes = UserChanges {
        email: optional_text(&mut user, "email", NAME),
        username: optional_text(&mut user, "username", NAME),
        bio: nullable_text(&mut user, "bio"),
        image: nullable_text(&mut user, "image"),
    };
    let password = optional_text(&mut user, "password", PASSWORD).map(Password);
    user.finish((changes, password))
}

/// Reads a text for which empty means null.
fn nullable_text(fields: &mut JsonObject, name: &'static str) -> Option<Option<String>> {
    let text: Option<String> = fields.nullable(name)?;
    let text = text.filter(|text| !text.is_empty());
    crate::validation::check(fields, name, text.as_deref().unwrap_or_default(), TEXT);
    Some(text)
}

#[step]
pub fn update(viewer: &Viewer, changes: &UserChanges, hash: Option<&PasswordHash>) -> Decision<User> {
    let UserChanges { email, username, bio, image } = changes.clone();
    let update = sql::query(
        "update users set
            email = coalesce($2, email),
            username = coalesce($3, username),
            password_hash = coalesce($4, password_hash),
            bio = case when $5 then $6 else bio end,
            image = case when $7 then $8 else image end
        where id = $1 returning id, email, username, bio, image",
    );
    let update = update
        .bind(viewer.id)
        .bind(email)
        .bind(username)
        .bind_secret(hash.map(|hash| hash.password_hash.clone()))
        .bind(bio.is_some())
        .bind(bio.flatten())
        .bind(image.is_some())
        .bind(image.flatten());
    Need(update.named("user_update").optional().map_failure(taken).or_not_found("user", viewer.id))
}

#[step]
pub fn render(user: &User, token: &Token) -> Response {
    let User { email, username, bio, image, .. } = user;
    let user = json!({ "email": email, "token": token.0, "username": username, "bio": bio, "image": image });
    Response::json(&json!({ "user": user }))
}

#[step]
pub fn render_created(user: &User, token: &Token) -> Response {
    render(user, token).status(StatusCode::CREATED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &'static str) -> Request {
        Request::get("/").with_body(body)
    }

    #[test]
    fn all_invalid_fields_of_a_registration_are_reported() {
        let failure =
            parse_registration(&request(r#"{"user": {"username": " ", "password": 7}}"#)).unwrap_err();
        let fields: Vec<_> = failure.fields().iter().map(|field| field.field.as_str()).collect();
        assert_eq!(fields, ["username", "email", "password"]);
    }

    #[test]
    fn a_change_distinguishes_null_empty_and_missing() {
        let body = r#"{"user": {"bio": null, "image": "", "username": "ann"}}"#;
        let (changes, password) = parse_changes(&request(body)).unwrap();
        assert_eq!((changes.bio, changes.image, changes.email), (Some(None), Some(None), None));
        assert_eq!((changes.username.as_deref(), password), (Some("ann"), None));
        for field in ["email", "username", "password"] {
            for value in ["null", "\"\"", "[]"] {
                let body = format!(r#"{{"user": {{"{field}": {value}}}}}"#);
                let failure = parse_changes(&Request::get("/").with_body(body)).unwrap_err();
                assert_eq!((failure.status(), failure.fields()[0].field.as_str()), (422, field), "{value}");
            }
        }
    }

    #[test]
    fn a_wrong_password_and_an_unknown_address_are_the_same_to_a_client() {
        let app = || crate::app(|| Err("no test starts the service".into()));
        let login =
            serde_json::json!({ "user": { "email": "ann@example.com", "password": "wrong-password" } });
        let account =
            sql::query("select id, email, username, bio, image, password_hash from users where email = $1")
                .bind("ann@example.com")
                .named("account_by_email");
        let columns = ["id", "email", "username", "bio", "image", "password_hash"];
        let row = || (1, "ann@example.com", "ann", None::<String>, None::<String>, "$argon2id$x");
        let known = app()
            .test("login")
            .post("/api/users/login", &login)
            .answer(account.clone().optional::<Account>(), sql::Rows::of(columns, (0..1).map(|_| row())))
            .answer(is_password("wrong-password", "$argon2id$x"), false)
            .run();
        let unknown = app()
            .test("login")
            .post("/api/users/login", &login)
            .answer(account.optional::<Account>(), sql::Rows::of(columns, (0..0).map(|_| row())))
            .answer(hash_password("wrong-password"), PasswordHash { password_hash: String::new() })
            .run();
        assert_eq!((known.status(), known.text()), (unknown.status(), unknown.text()));
        assert_eq!(
            (known.status(), known.text().as_str()),
            (401, r#"{"errors":{"credentials":["invalid"]}}"#)
        );
    }
}
