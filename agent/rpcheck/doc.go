// Package rpcheck checks a running application against its registration: its
// back-channel logout endpoint, its certificate, redirect addresses and published
// keys, and what it was seen to ask for.
//
// What is sent and how an answer is judged are tables and pure functions; the
// [Checker] does the HTTP. It calls the addresses of the registrations that it was
// made with and no other, follows no redirect, sends no secret, and its time is
// bounded.
package rpcheck
