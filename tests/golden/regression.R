# R 4.2.2, survival 3.5-3, cmprsk 2.2-11, jsonlite 1.8.4
# Writes regression.golden.json beside itself:  Rscript regression.R
suppressMessages({library(survival); library(cmprsk); library(jsonlite)})
RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(20240607)
out <- list(); data <- list()
add <- function(id, call, result) out[[length(out) + 1]] <<- list(id = id, call = call, result = result)
tight <- coxph.control(eps = 1e-13, iter.max = 100, toler.chol = 1e-14)

# ---- data -------------------------------------------------------------------------------------
n <- 240
ties <- data.frame(time = ceiling(rexp(n, 1 / 6)), cause = sample(0:2, n, TRUE, c(.3, .4, .3)),
  x = round(rnorm(n), 2), z = rbinom(n, 1, .4), g = sample(c("a", "b", "c"), n, TRUE),
  s = sample(c("u", "v"), n, TRUE), w = round(runif(n, .5, 3), 2), k = sample(1:4, n, TRUE))
ties$entry <- pmin(floor(runif(n, 0, 4)) * rbinom(n, 1, .5), ties$time - 1)
zero <- data.frame(time = c(0, 0, 0, 1, 2, 2, 3, 3, 5, 8), cause = c(1, 2, 0, 1, 2, 1, 0, 1, 2, 0),
  g = c("a", "b", "a", "b", "a", "b", "a", "b", "a", "b"))
quiet <- data.frame(time = c(1, 2, 3, 4, 5, 6, 2, 3, 4, 1, 2, 3, 4, 5),
  cause = c(1, 2, 1, 1, 0, 2, 0, 0, 0, 2, 1, 1, 0, 1),
  g = c(rep("a", 6), rep("b", 3), rep("c", 5)))
h <- survival::heart
heart <- data.frame(start = h$start, stop = h$stop, event = h$event, age = h$age, year = h$year,
  surgery = h$surgery, transplant = as.integer(h$transplant) - 1, id = h$id)
b2 <- survival::bladder2
bladder <- data.frame(start = b2$start, stop = b2$stop, event = b2$event, rx = b2$rx,
  size = b2$size, number = b2$number, enum = b2$enum, id = b2$id)
v <- survival::veteran
veteran <- data.frame(time = v$time, status = v$status, trt = v$trt, celltype = as.character(v$celltype),
  karno = v$karno, age = v$age)
m <- survival::mgus2; m <- m[!is.na(m$mspike) & !is.na(m$hgb), ][1:500, ]
mgus <- data.frame(time = ifelse(m$pstat == 1, m$ptime, m$futime),
  cause = ifelse(m$pstat == 1, 1, 2 * m$death), age = m$age, male = as.integer(m$sex == "M"),
  mspike = m$mspike)
data <- list(ties = ties, zero = zero, quiet = quiet, heart = heart, bladder = bladder,
  veteran = veteran, mgus = mgus)

# ---- Cox ----------------------------------------------------------------------------------------
cx <- function(f) { list(coef = unname(f$coefficients), var = f$var,
  naive_var = f$naive.var, loglik = f$loglik, score = f$score,
  concordance = if (is.null(f$concordance)) NULL else unname(f$concordance[c('concordance', 'std')])) }
cox_calls <- c(
 "ties.efron" = "coxph(Surv(time,cause>0)~x+z,ties)",
 "ties.breslow.weights" = "coxph(Surv(time,cause>0)~x+z,ties,weights=w,ties='breslow')",
 "ties.efron.weights" = "coxph(Surv(time,cause>0)~x+z,ties,weights=w)",
 "ties.efron.entry.weights.strata" = "coxph(Surv(entry,time,cause>0)~x+z+strata(s),ties,weights=w)",
 "ties.efron.counts" = "coxph(Surv(time,cause>0)~x+z,ties,weights=k)",
 "ties.exact" = "coxph(Surv(time,cause>0)~x+z,ties,ties='exact')",
 "ties.exact.strata" = "coxph(Surv(time,cause>0)~x+z+strata(s),ties,ties='exact')",
 "heart.efron" = "coxph(Surv(start,stop,event)~age+year+surgery+transplant,heart)",
 "heart.breslow.cluster" = "coxph(Surv(start,stop,event)~age+year+surgery+transplant,heart,ties='breslow',cluster=id)",
 "bladder.efron.cluster.strata" = "coxph(Surv(start,stop,event)~rx+size+number+strata(enum),bladder,cluster=id)",
 "veteran.efron" = "coxph(Surv(time,status)~trt+karno+age,veteran)",
 "veteran.strata" = "coxph(Surv(time,status)~trt+karno+strata(celltype),veteran)")
for (id in names(cox_calls)) {
  call <- sub("\\)$", ",control=tight)", cox_calls[[id]])
  f <- eval(parse(text = call)); add(paste0("cox.", id), cox_calls[[id]], cx(f))
}
# ---- residuals ----------------------------------------------------------------------------------
for (id in c("ties.efron.entry.weights.strata", "heart.efron", "ties.breslow.weights", "veteran.strata")) {
  f <- eval(parse(text = sub("\\)$", ",control=tight)", cox_calls[[id]])))
  add(paste0("residuals.", id), paste0("residuals(", cox_calls[[id]], ")"), list(
    martingale = unname(residuals(f)), deviance = unname(residuals(f, "deviance")),
    score = unname(as.matrix(residuals(f, "score"))), dfbeta = unname(as.matrix(residuals(f, "dfbeta")))))
}
f <- coxph(Surv(time, status) ~ trt + karno + age, veteran, control = tight)
r <- residuals(f, "schoenfeld")
add("schoenfeld.veteran.efron", "residuals(coxph(Surv(time,status)~trt+karno+age,veteran),'schoenfeld')",
  list(time = as.numeric(rownames(r)), residual = unname(r)))
# ---- baseline -----------------------------------------------------------------------------------
sf <- function(f, newdata, ...) { s <- survfit(f, newdata = newdata, conf.type = "log-log", ...)
  list(time = s$time, n_risk = s$n.risk, n_event = s$n.event, surv = s$surv, std_cumhaz = s$std.err,
    lower = s$lower, upper = s$upper, cumhaz = s$cumhaz) }
f <- coxph(Surv(start, stop, event) ~ age + year + surgery + transplant, heart, control = tight)
add("baseline.heart", "survfit(coxph(Surv(start,stop,event)~age+year+surgery+transplant,heart),newdata=data.frame(age=-2,year=3,surgery=0,transplant=1),conf.type='log-log')",
  sf(f, data.frame(age = -2, year = 3, surgery = 0, transplant = 1)))
f <- coxph(Surv(entry, time, cause > 0) ~ x + z, ties, weights = w, ties = "breslow", control = tight, robust = FALSE)
add("baseline.ties", "survfit(coxph(Surv(entry,time,cause>0)~x+z,ties,weights=w,ties='breslow',robust=FALSE),newdata=data.frame(x=.5,z=1),conf.type='log-log')",
  sf(f, data.frame(x = .5, z = 1)))
f <- coxph(Surv(time, status) ~ trt + karno + strata(celltype), veteran, control = tight)
s <- survfit(f, newdata = data.frame(trt = 1, karno = 60, celltype = "large"), conf.type = "log-log")
add("baseline.veteran.large", "survfit(coxph(Surv(time,status)~trt+karno+strata(celltype),veteran),newdata=data.frame(trt=1,karno=60,celltype='large'),conf.type='log-log')",
  list(time = s$time, n_risk = s$n.risk, n_event = s$n.event, surv = s$surv, std_cumhaz = s$std.err,
    lower = s$lower, upper = s$upper, cumhaz = s$cumhaz))
# ---- cox.zph ------------------------------------------------------------------------------------
zph <- c("veteran.efron", "heart.efron", "ties.efron.entry.weights.strata", "ties.breslow.weights")
for (id in zph) for (tr in c("km", "identity", "rank", "log")) {
  f <- eval(parse(text = sub("\\)$", ",control=tight)", cox_calls[[id]])))
  z <- cox.zph(f, transform = tr)$table
  add(paste0("zph.", id, ".", tr), paste0("cox.zph(", cox_calls[[id]], ",'", tr, "')"),
    list(chisq = unname(z[, 1]), df = unname(z[, 2])))
}
# ---- cumulative incidence and Gray --------------------------------------------------------------
ci <- function(d, ...) { f <- cuminc(...); f <- f[names(f) != "Tests"]
  lapply(f, function(x) { j <- c(which(diff(x$time) > 0), length(x$time)); list(time = x$time[j], est = x$est[j], var = x$var[j]) }) }
for (nm in c("ties", "mgus", "quiet"))
  add(paste0("cuminc.", nm), paste0("cuminc(", nm, "$time,", nm, "$cause)"),
    ci(NULL, data[[nm]]$time, data[[nm]]$cause))
gt <- function(f) list(cause = as.integer(rownames(f$Tests)), stat = unname(f$Tests[, 1]), df = unname(f$Tests[, 3]))
add("gray.ties", "cuminc(ties$time,ties$cause,ties$g)", gt(cuminc(ties$time, ties$cause, ties$g)))
add("gray.ties.strata.rho", "cuminc(ties$time,ties$cause,ties$g,ties$s,rho=1)", gt(cuminc(ties$time, ties$cause, ties$g, ties$s, rho = 1)))
add("gray.quiet", "cuminc(quiet$time,quiet$cause,quiet$g)", gt(cuminc(quiet$time, quiet$cause, quiet$g)))
add("gray.zero", "cuminc(zero$time,zero$cause,zero$g)", gt(cuminc(zero$time, zero$cause, zero$g)))
aj <- function(s) list(time = s$time, pstate = unname(s$pstate), se = unname(s$std.err), lower = unname(s$lower), upper = unname(s$upper))
ties$id <- seq_len(n)
for (ct in c("plain", "log", "log-log", "logit")) {
add(paste0("aj.ties.entry.", ct), paste0("survfit(Surv(entry,time,factor(cause,0:2))~1,ties,id=id,conf.type='", ct, "')"),
  aj(survfit(Surv(entry, time, factor(cause, 0:2)) ~ 1, ties, id = id, conf.type = ct))) }
add("aj.ties.weights", "survfit(Surv(time,factor(cause,0:2))~1,ties,weights=w,conf.type='log-log')",
  aj(survfit(Surv(time, factor(cause, 0:2)) ~ 1, ties, weights = w, conf.type = "log-log")))
add("aj.ties.entry.weights", "survfit(Surv(entry,time,factor(cause,0:2))~1,ties,id=id,weights=w,conf.type='log-log')",
  aj(survfit(Surv(entry, time, factor(cause, 0:2)) ~ 1, ties, id = id, weights = w, conf.type = "log-log")))
add("aj.zero", "survfit(Surv(time,factor(cause,0:2))~1,zero,conf.type='log-log')",
  aj(survfit(Surv(time, factor(cause, 0:2)) ~ 1, zero, conf.type = "log-log")))
# ---- Fine-Gray ----------------------------------------------------------------------------------
fg <- function(f, at) list(coef = unname(f$coef), var = f$var, loglik = f$loglik, loglik_null = f$loglik.null)
X <- as.matrix(ties[, c("x", "z")])
for (ca in 1:2) {
  add(paste0("crr.ties.", ca), paste0("crr(ties$time,ties$cause,ties[,c('x','z')],failcode=", ca, ",gtol=1e-12)"),
    fg(crr(ties$time, ties$cause, X, failcode = ca, gtol = 1e-12, maxiter = 50)))
  add(paste0("crr.cengroup.", ca), paste0("crr(ties$time,ties$cause,ties[,c('x','z')],cengroup=ties$s,failcode=", ca, ",gtol=1e-12)"),
    fg(crr(ties$time, ties$cause, X, cengroup = as.integer(factor(ties$s)), failcode = ca, gtol = 1e-12, maxiter = 50)))
  M <- as.matrix(mgus[, c("age", "male", "mspike")])
  add(paste0("crr.mgus.", ca), paste0("crr(mgus$time,mgus$cause,mgus[,c('age','male','mspike')],failcode=", ca, ",gtol=1e-12)"),
    fg(crr(mgus$time, mgus$cause, M, failcode = ca, gtol = 1e-12, maxiter = 50)))
}
fgc <- function(expr, d) { f <- eval(expr); list(n = f$n, coef = unname(f$coefficients), naive_var = f$naive.var, var = f$var, loglik = f$loglik) }
tf <- ties; tf$fc <- factor(tf$cause, 0:2)
fgd <- finegray(Surv(time, fc) ~ ., tf, etype = "1")
add("finegray.ties", "coxph(Surv(fgstart,fgstop,fgstatus)~x+z,weights=fgwt,data=finegray(Surv(time,fc)~.,ties,etype='1'),ties='breslow')",
  fgc(quote(coxph(Surv(fgstart, fgstop, fgstatus) ~ x + z, weights = fgwt, data = fgd, ties = "breslow", control = tight))))
fgd <- finegray(Surv(entry, time, fc) ~ ., tf, etype = "1", id = id)
add("finegray.ties.entry", "coxph(Surv(fgstart,fgstop,fgstatus)~x+z,weights=fgwt,data=finegray(Surv(entry,time,fc)~.,ties,etype='1',id=id),ties='breslow')",
  fgc(quote(coxph(Surv(fgstart, fgstop, fgstatus) ~ x + z, weights = fgwt, data = fgd, ties = "breslow", control = tight))))
fgd <- finegray(Surv(time, fc) ~ . + strata(s), tf, etype = "1")
add("finegray.ties.strata", "coxph(Surv(fgstart,fgstop,fgstatus)~x+z+strata(s),weights=fgwt,data=finegray(Surv(time,fc)~.+strata(s),ties,etype='1'),ties='breslow')",
  fgc(quote(coxph(Surv(fgstart, fgstop, fgstatus) ~ x + z + strata(s), weights = fgwt, data = fgd, ties = "breslow", control = tight))))
fgd <- finegray(Surv(entry, time, fc) ~ . + strata(s), tf, etype = "2", id = id)
add("finegray.ties.entry.strata", "coxph(Surv(fgstart,fgstop,fgstatus)~x+z+strata(s),weights=fgwt,data=finegray(Surv(entry,time,fc)~.+strata(s),ties,etype='2',id=id),ties='breslow')",
  fgc(quote(coxph(Surv(fgstart, fgstop, fgstatus) ~ x + z + strata(s), weights = fgwt, data = fgd, ties = "breslow", control = tight))))
tr <- tf[rep(seq_len(n), tf$k), ]
fgd <- finegray(Surv(time, fc) ~ ., tr, etype = "1")
add("finegray.ties.repeated", "coxph(Surv(fgstart,fgstop,fgstatus)~x+z,weights=fgwt,data=finegray(Surv(time,fc)~.,ties[rep(1:240,ties$k),],etype='1'),ties='breslow')",
  fgc(quote(coxph(Surv(fgstart, fgstop, fgstatus) ~ x + z, weights = fgwt, data = fgd, ties = "breslow", control = tight))))
# The reference data are not in this project; where they lie: GRAFTLINE_REFERENCE_DATA. crr stops by
# default (gtol = 1e-6) some way before its optimum; these are its answers when it does not.
ref <- Sys.getenv("GRAFTLINE_REFERENCE_DATA")
bm <- read.csv(file.path(ref, "survival", "bmt137.csv")); bm$fs <- with(bm, ifelse(d3 == 0, 0, ifelse(d2 == 1, 1, 2)))
bc <- read.csv(file.path(ref, "survival", "bmtcrr.csv"))
e1 <- read.csv(file.path(ref, "survival", "ebmt1.csv")); e1$fs <- with(e1, ifelse(relstat == 1, 1, ifelse(srvstat == 1, 2, 0)))
e1$ft <- pmin(e1$rel, e1$srv); e1$score <- factor(e1$score, c("Low risk", "Medium risk", "High risk"))
crr_converged <- function(...) { f <- crr(..., gtol = 1e-12, maxiter = 50)
  for (digits in c(3, 4, 2, 5)) # its line search can stall on rounding; start it elsewhere, nearby
    if (!f$converged) f <- crr(..., gtol = 1e-12, maxiter = 50, init = signif(f$coef, digits))
  stopifnot(f$converged); f }
for (ca in 1:2) {
  for (x in list(list("bmt137", bm$t2, bm$fs, model.matrix(~factor(group) + z1 + z8, bm)),
                 list("bmtcrr", bc$ftime, bc$Status, model.matrix(~Age + Sex + D + Phase + Source, bc)),
                 list("ebmt1", e1$ft, e1$fs, model.matrix(~score + age, e1))))
    add(paste0("tight.", x[[1]], ".", ca), paste0("crr on ", x[[1]], " as in its golden file, failcode=", ca, ", gtol=1e-12"),
      fg(crr_converged(x[[2]], x[[3]], x[[4]][, -1], failcode = ca)))
}
# ---- multi-state --------------------------------------------------------------------------------
mm <- survival::mgus2[1:400, ]
md <- tmerge(mm[, c("id", "age")], mm, id = id, death = event(futime, death), pcm = event(ptime, pstat), tstop = futime)
md <- tmerge(md, md, id = id, enum = cumtdc(tstart))
st <- with(md, ifelse(death == 1, 2, pcm)); md$st <- factor(st, 0:2, c("censor", "pcm", "death"))
md <- md[md$tstop > md$tstart, ]
s <- survfit(Surv(tstart, tstop, st) ~ 1, data = md, id = id)
z <- summary(s, rmean = 240)$table
data$mgus_states <- data.frame(id = md$id, start = md$tstart, stop = md$tstop, to = as.character(md$st))
add("multistate.mgus", "survfit(Surv(tstart,tstop,st)~1,data=md,id=id)", list(states = s$states,
  time = s$time, pstate = unname(s$pstate), rmean = unname(z[, "rmean"])))
write(paste0('{"tool": "R 4.2.2, survival ', packageVersion("survival"), ", cmprsk ", packageVersion("cmprsk"), '",'), "regression.golden.json")
write(paste0('"data": ', toJSON(data, digits = NA, na = "null", dataframe = "columns"), ',\n"entries": ['), "regression.golden.json", append = TRUE)
lines <- vapply(out, function(e) as.character(toJSON(e, digits = NA, na = "null", auto_unbox = TRUE)), "")
write(paste(lines, collapse = ",\n"), "regression.golden.json", append = TRUE)
write("]}", "regression.golden.json", append = TRUE)
