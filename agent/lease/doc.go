// Package lease lends authenticators: to one holder at a time, for a limited
// time, in the order in which they were asked for. It decides who may have
// which, keeps leases over a restart, and sees to it that each ends. It never
// talks to hardware: what is done with an authenticator, and how it is left, is
// package ceremony's.
package lease
