//! The page on a phone, for people who use a keyboard, and for those who listen to it.

use serde_json::json;

use crate::browser::Browser;
use crate::redis::Redis;
use crate::worker::Worker;

#[tokio::test]
async fn the_page_fits_a_phone_and_says_what_its_parts_are() {
    let Some(redis) = Redis::start().await else { return };
    let phone =
        json!({ "mobileEmulation": { "deviceMetrics": { "width": 360, "height": 780, "pixelRatio": 1.0 } } });
    let Some(page) = Browser::start(phone).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let worker = Worker::start(&redis, folder.path()).await;
    page.open(worker.port).await;
    page.until("redis", 0).await;
    page.say(&"a long word, ".repeat(20)).await;
    page.say(&"x".repeat(300)).await;
    page.say("<img src=x onerror=\"document.body.remove()\"> & <b>bold</b>").await;
    page.until("redis", 3).await;
    let fits = "return innerWidth === 360 && [...document.querySelectorAll('body *')].every(it => {
        const { left, right } = it.getBoundingClientRect();
        return left >= 8 && right <= 352 || it.matches('main');
    })";
    assert_eq!(page.run(fits).await, true, "nothing sticks out sideways");
    page.screenshot("phone").await;

    assert!(page.text("log").await.contains("<b>bold</b>"), "what others say is text");
    assert_eq!(page.run("return document.querySelectorAll('#log img, #log li b + b').length").await, 0);
    let labelled = "return [...document.querySelectorAll('input, button')].every(it => it.labels?.length || it.textContent)";
    assert_eq!(page.run(labelled).await, true);
    let told =
        "return ['mode', 'log'].map(id => document.getElementById(id).getAttribute('aria-live')).join()";
    assert_eq!(page.run(told).await, "polite,polite");
    assert_eq!(page.run("return document.documentElement.lang").await, "en");
    // Nothing comes from elsewhere, and nothing could.
    let from =
        "return performance.getEntriesByType('resource').every(it => it.name.startsWith(location.origin))";
    assert_eq!(page.run(from).await, true);
    assert_eq!(page.run("return document.cookie").await, "", "scripts do not see the session's cookie");
    page.close().await;
}
