// Package contract holds the types that cross the API. It imports nothing of
// this module and decides nothing.
package contract
