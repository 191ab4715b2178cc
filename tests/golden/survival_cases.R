# R 4.2.2, survival 3.5-3: Rscript tests/golden/survival_cases.R, from the repository root.
# Reads survival_cases.csv (small made-up cases: heavy ties, events at time 0, late entries, whole and
# fractional weights, switches) and writes survival_cases_r.csv: case, quantity, values.
suppressMessages(library(survival))
all <- read.csv("tests/golden/survival_cases.csv")
out <- file("tests/golden/survival_cases_r.csv", "w")
cat("case,quantity,values\n", file = out)
for (case in unique(all$case)) {
  d <- all[all$case == case, ]
  put <- function(name, x) {
    cat(case, ",", name, ",", paste(format(as.numeric(x), digits = 14), collapse = " "), "\n",
        sep = "", file = out)
  }
  curve <- function(name, f) {
    put(paste0(name, ".time"), f$time)
    put(paste0(name, ".at_risk"), f$n.risk)
    put(paste0(name, ".survival"), f$surv)
    put(paste0(name, ".std_error"), summary(f, times = unique(f$time), extend = TRUE)$std.err)
    put(paste0(name, ".lower"), f$lower)
    put(paste0(name, ".upper"), f$upper)
    put(paste0(name, ".hazard"), f$cumhaz)
    put(paste0(name, ".hazard_error"), f$std.chaz)
  }
  for (type in c("plain", "log", "log-log", "logit", "arcsin")) {
    f <- survfit(Surv(time, status) ~ 1, d, conf.type = type)
    curve(paste0("whole.", type), f)
    put(paste0("quantile.", type), unlist(quantile(f, c(.1, .25, .5, .75, .9))))
  }
  curve("weighted.log", survfit(Surv(time, status) ~ 1, d, weights = weight, conf.type = "log"))
  curve("fraction.log", survfit(Surv(time, status) ~ 1, d, weights = fraction, conf.type = "log"))
  curve("late.log-log", survfit(Surv(entry, stop, status) ~ 1, d, conf.type = "log-log"))
  curve("late_fraction.log-log",
        survfit(Surv(entry, stop, status) ~ 1, d, weights = fraction, conf.type = "log-log"))
  for (rho in c(0, 0.5, 1)) {
    put(paste0("logrank.", rho), survdiff(Surv(time, status) ~ group, d, rho = rho)$chisq)
    put(paste0("stratified.", rho),
        survdiff(Surv(time, status) ~ group + strata(stratum), d, rho = rho)$chisq)
  }
  one <- tmerge(data.frame(id = d$id, row = 1), d, id = id, ev = event(stop, status), tx = tdc(switch))
  put("mantel_byar", coxph(Surv(tstart, tstop, ev) ~ tx, one, ties = "exact")$score)
}
close(out)
