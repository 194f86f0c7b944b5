//! What streams passes through the whole wall, piece by piece, for as long as it likes.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ws::{Message, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, Request, header},
    response::{IntoResponse as _, Sse, sse::Event},
    routing::{any, get, post},
};
use futures_util::{SinkExt as _, StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use palisade::{Stack, compression::CompressionLayer};
use tokio::sync::{broadcast, oneshot};
use tower::ServiceExt as _;

use crate::support::from_peer;

/// With all that could stand in a stream's way, and a deadline that every stream outlives.
fn wall() -> Stack {
    let stack = Stack::production().compression(CompressionLayer::new()).response_time(true);
    stack.deadline(Duration::from_millis(100)).build().unwrap()
}

async fn serve(app: Router) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let until = async {
        let _ = stopped.await;
    };
    tokio::spawn(palisade::serve_until(listener, app, until));
    (addr, stop)
}

#[tokio::test]
async fn each_server_sent_event_arrives_before_the_next_is_made() {
    let (made, _) = broadcast::channel::<u32>(4);
    let maker = made.clone();
    let events = move || async move {
        let events = stream::unfold(maker.subscribe(), |mut events| async move {
            let number = events.recv().await.ok()?;
            Some((Ok::<_, Infallible>(Event::default().data(number.to_string())), events))
        });
        Sse::new(events)
    };
    let (addr, _stop) = serve(wall().wrap(Router::new().route("/events", get(events)))).await;
    let request = Request::get(format!("http://{addr}/events")).header("accept-encoding", "gzip");
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let response = client.request(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "what is compressed is held back");
    let mut body = response.into_body();
    for number in 0..3 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        made.send(number).unwrap();
        let frame =
            tokio::time::timeout(Duration::from_secs(5), body.frame()).await.expect("at once").unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), format!("data: {number}\n\n"));
    }
}

#[tokio::test]
async fn a_websocket_opens_and_talks_past_the_deadline() {
    let echo = |upgrade: WebSocketUpgrade| async move {
        upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(message @ Message::Text(_))) = socket.next().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        })
    };
    let (addr, _stop) = serve(wall().wrap(Router::new().route("/socket", any(echo)))).await;
    let (mut socket, response) = tokio_tungstenite::connect_async(format!("ws://{addr}/socket")).await.unwrap();
    assert_eq!(response.status(), 101);
    assert!(response.headers().contains_key("x-request-id"), "dressed like any other");
    for word in ["one", "two", "three"] {
        tokio::time::sleep(Duration::from_millis(60)).await;
        socket.send(word.into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().into_text().unwrap(), word);
    }
}

#[tokio::test]
async fn the_trailers_of_a_grpc_answer_arrive() {
    let call = |request: Request<Body>| async move {
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let frames = [Frame::data(sent), Frame::data(Bytes::from(vec![b'x'; 1000])), Frame::trailers(trailers)];
        let body = Body::new(StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>))));
        ([(header::CONTENT_TYPE, "application/grpc")], body).into_response()
    };
    let app = wall().wrap(Router::new().route("/shop.Orders/Place", post(call)));
    let request = from_peer("192.0.2.1", "POST", "/shop.Orders/Place")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("accept-encoding", "gzip");
    let response = app.oneshot(request.body(Body::from("message")).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "gRPC has its own");
    let whole = response.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(whole.to_bytes().len(), 7 + 1000);
}
