// The command bench runs Keyrack beside what a user would otherwise write or take, on the
// same work, and prints tables of ratios:
//
//	go run ./bench          all tables, in less than ten minutes on two cores
//	go run ./bench -short   the same in less than one minute
//
// All ways of doing a piece of work take turns in short batches, so that what else the
// machine does meets all of them. Each row is the median, over the turns, of a way's time
// by that of the table's floor in the same turn, with the tenth and the ninetieth
// percentile. Every batch checks its answers; a wrong one ends the run.
//
// Durable commits to PostgreSQL are measured where KEYRACK_BENCH_POSTGRES has the URL of a
// database that may be written to; two schemas are made in it and dropped.
package main
