// Package cis2 is what is known of NHS CIS2 Authentication: environments and
// issuers, acr and amr values, users, scopes and claims, and what an
// application registers in Connection Manager.
//
// It is pure: tables and the questions that they answer. Each row says where it
// comes from ([Source]) and how surely it is known ([Sure]); what is not
// verified is never the ground of a verdict, only of a remark. The tables of
// acr and amr values are values, so that a configuration can replace them.
package cis2
