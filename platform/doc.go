// Package platform holds all policy that differs by operating system: where
// files lie, how clients reach the daemon and who they are, locks, and what
// can be seen of the machine. It imports nothing of agent, pcsc or fido and
// decides nothing about authenticators.
package platform
