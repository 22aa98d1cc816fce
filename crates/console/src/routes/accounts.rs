//! Users and tokens, for administrators.

use super::json_body::JsonBody;
use crate::ApiError;
use crate::auth::principal::Principal;
use crate::auth::users::{self, Change, User};
use crate::auth::{password, tokens};
use crate::core::Core;
use crate::shapes::{CreatedToken, List, NewToken, NewUser, TokenItem, UserChange, UserItem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;

/// All users, by name.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", responses((status = 200, body = List<UserItem>)))]
pub(crate) async fn users(State(core): State<Arc<Core>>) -> Result<Json<List<UserItem>>, ApiError> {
    let users = core.accounts.with_docs(|docs, _| users::list(docs)).await?;
    Ok(Json(List { items: users.into_iter().map(UserItem::from).collect() }))
}

/// Makes a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    responses((status = 201, body = UserItem)))]
pub(crate) async fn create_user(
    State(core): State<Arc<Core>>,
    principal: Principal,
    JsonBody(body): JsonBody<NewUser>,
) -> Result<(StatusCode, Json<UserItem>), ApiError> {
    users::key(&body.name)?;
    let hash = core.accounts.passwords.hash(body.password).await?;
    let create = core.accounts.with_docs(move |docs, clock| {
        let user = User::new(&body.name, body.role, hash, clock.now());
        users::create(docs, &user, principal.actor())?;
        Ok(user)
    });
    Ok((StatusCode::CREATED, Json(create.await?.into())))
}

/// Changes a user's role or password, or disables it. The last enabled administrator stays one.
#[utoipa::path(patch, path = "/api/v1/users/{name}", tag = "users", params(("name" = String, Path)),
    request_body = UserChange, responses((status = 200, body = UserItem)))]
pub(crate) async fn change_user(
    State(core): State<Arc<Core>>,
    Path(name): Path<String>,
    principal: Principal,
    JsonBody(body): JsonBody<UserChange>,
) -> Result<Json<UserItem>, ApiError> {
    let password_hash = match body.password {
        Some(text) => {
            password::check_length(&text)?;
            Some(core.accounts.passwords.hash(text).await?)
        }
        None => None,
    };
    let change = Change { role: body.role, password_hash, disabled: body.disabled };
    let user = core.accounts.with_docs(move |docs, _| users::change(docs, &name, change, principal.actor()));
    Ok(Json(user.await?.into()))
}

/// Deletes a user; its sessions end. The last enabled administrator cannot be deleted.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "users", params(("name" = String, Path)),
    responses((status = 204)))]
pub(crate) async fn delete_user(
    State(core): State<Arc<Core>>,
    Path(name): Path<String>,
    principal: Principal,
) -> Result<StatusCode, ApiError> {
    core.accounts.with_docs(move |docs, _| users::delete(docs, &name, principal.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All tokens, oldest first, without their texts.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens",
    responses((status = 200, body = List<TokenItem>)))]
pub(crate) async fn tokens(State(core): State<Arc<Core>>) -> Result<Json<List<TokenItem>>, ApiError> {
    let tokens = core.accounts.with_docs(|docs, _| tokens::list(docs)).await?;
    Ok(Json(List { items: tokens.into_iter().map(|(id, token)| TokenItem::new(id, token)).collect() }))
}

/// Makes a token. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = CreatedToken)))]
pub(crate) async fn create_token(
    State(core): State<Arc<Core>>,
    principal: Principal,
    JsonBody(body): JsonBody<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let created = core.accounts.with_docs(move |docs, clock| {
        let now = clock.now();
        if body.expires_at.is_some_and(|expires| expires <= now) {
            return Err(ApiError::invalid("expiresAt", "it is in the past"));
        }
        let token = tokens::Token {
            name: body.name,
            role: body.role,
            created_by: principal.actor(),
            created_at: now,
            expires_at: body.expires_at,
        };
        let (id, secret) = tokens::create(docs, &token)?;
        Ok(CreatedToken { item: TokenItem::new(id, token), token: secret.reveal().to_owned() })
    });
    Ok((StatusCode::CREATED, Json(created.await?)))
}

/// Deletes a token; it is not valid any more from the next request on.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204)))]
pub(crate) async fn delete_token(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
    principal: Principal,
) -> Result<StatusCode, ApiError> {
    core.accounts.with_docs(move |docs, _| tokens::delete(docs, &id, principal.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}
