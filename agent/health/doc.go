// Package health judges what the sources have seen: facts in, checks out. The
// checks are data, one row each ([Rules]): a code of the registry, what it
// belongs to, what it depends on, and a function from facts to a state with
// its evidence.
//
// It is pure. It does no I/O, keeps no state, and knows neither targets nor
// levels: what a check means for a sign-in is the business of package
// assurance. Evidence never holds personal data.
package health
